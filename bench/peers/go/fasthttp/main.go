// fasthttp answers with a constant of so many bytes, or searches: by encoding/json, or by fragments rendered at the
// start. Prints its port.
// fasthttp constant BYTES | json FILE | fragments FILE
package main

import (
	"bytes"
	"log"
	"os"
	"strconv"

	"marquee/bench/peers/go/ranges"

	"github.com/valyala/fasthttp"
)

// An answer goes out by one write(2) if it fits. Of the default, 4 KiB, a search would take two.
const writeBufferSize = 64 << 10

func main() {
	handler, err := newHandler(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := ranges.Listen()
	if err != nil {
		log.Fatal(err)
	}
	server := &fasthttp.Server{
		Handler:               handler,
		WriteBufferSize:       writeBufferSize,
		NoDefaultServerHeader: true,
	}
	log.Fatal(server.Serve(listener))
}

func newHandler(way, argument string) (fasthttp.RequestHandler, error) {
	if way == "constant" {
		length, err := strconv.Atoi(argument)
		body := bytes.Repeat([]byte{'x'}, length)
		return func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(body)
		}, err
	}
	index, err := ranges.Load(argument)
	return func(ctx *fasthttp.RequestCtx) {
		args := ctx.QueryArgs()
		from, until, err := ranges.ParseRange(string(args.Peek("starts_at")), string(args.Peek("ends_at")))
		if err != nil {
			ctx.Error("starts_at and ends_at must be dates (RFC 3339)", fasthttp.StatusBadRequest)
			return
		}
		ctx.SetContentType("application/json")
		if way == "fragments" {
			index.WriteFragments(ctx, from, until)
		} else if err := index.WriteStructs(ctx, from, until); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		}
	}, err
}
