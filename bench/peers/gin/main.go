// A constant answer on Gin and net/http. Prints its port.
// gin BYTES
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/gin-gonic/gin"
)

func main() {
	length, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	body := bytes.Repeat([]byte{'x'}, length)
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/answer", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", body) })
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(engine.RunListener(listener))
}
