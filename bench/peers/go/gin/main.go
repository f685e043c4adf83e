// Gin answers with a constant of so many bytes, or searches and answers by encoding/json. Prints its port.
// gin constant BYTES | json FILE
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"strconv"

	"marquee/bench/peers/go/ranges"

	"github.com/gin-gonic/gin"
)

func main() {
	// As its documentation has it for production, without the middleware for logs.
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	if err := route(engine, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
	listener, err := ranges.Listen()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(engine.RunListener(listener))
}

func route(engine *gin.Engine, way, argument string) error {
	if way == "constant" {
		length, err := strconv.Atoi(argument)
		body := bytes.Repeat([]byte{'x'}, length)
		engine.GET("/answer", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", body) })
		return err
	}
	index, err := ranges.Load(argument)
	engine.GET("/search", func(c *gin.Context) {
		from, until, err := ranges.ParseRange(c.Query("starts_at"), c.Query("ends_at"))
		if err != nil {
			c.String(http.StatusBadRequest, "starts_at and ends_at must be dates (RFC 3339)")
			return
		}
		var body bytes.Buffer
		if err := index.WriteStructs(&body, from, until); err != nil {
			c.String(http.StatusInternalServerError, err.Error())
			return
		}
		// Without it net/http would send chunks.
		c.Header("Content-Length", strconv.Itoa(body.Len()))
		c.Data(http.StatusOK, "application/json", body.Bytes())
	})
	return err
}
