// The range workload on fasthttp with an index in memory: a binary search by start, then either encoding/json of the
// structs found or, with -fragments, their JSON as it was rendered at the start. With -constant, every request is
// answered with so many bytes instead. Prints its port.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"sort"
	"time"

	"github.com/valyala/fasthttp"
)

type event struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	StartDate string   `json:"start_date"`
	StartTime string   `json:"start_time"`
	EndDate   *string  `json:"end_date"`
	EndTime   *string  `json:"end_time"`
	MinPrice  *float64 `json:"min_price"`
	MaxPrice  *float64 `json:"max_price"`
}

type data struct {
	Events []*event `json:"events"`
}

type answer struct {
	Data  data    `json:"data"`
	Error *string `json:"error"`
}

// index holds the events in the order of answers. fragments is the JSON of all of them, each with a comma behind it;
// that of event i is fragments[offsets[i]:offsets[i+1]].
type index struct {
	events       []event
	starts, ends []int64
	fragments    []byte
	offsets      []int
}

func main() {
	file := flag.String("file", "", "JSON array of search results in the order of answers")
	withFragments := flag.Bool("fragments", false, "send events as rendered at the start")
	constant := flag.Int("constant", 0, "answer with so many bytes, whatever is asked")
	flag.Parse()
	if *constant > 0 {
		serveConstant(*constant)
	}
	idx, err := load(*file)
	if err != nil {
		log.Fatal(err)
	}
	write := idx.writeStructs
	if *withFragments {
		write = idx.writeFragments
	}
	log.Fatal(fasthttp.Serve(listen(), func(ctx *fasthttp.RequestCtx) {
		args := ctx.QueryArgs()
		from, fromErr := time.Parse(time.RFC3339, string(args.Peek("starts_at")))
		to, toErr := time.Parse(time.RFC3339, string(args.Peek("ends_at")))
		if fromErr != nil || toErr != nil {
			ctx.Error("starts_at and ends_at must be dates (RFC 3339)", fasthttp.StatusBadRequest)
			return
		}
		ctx.SetContentType("application/json")
		write(ctx, from.Unix(), to.Unix())
	}))
}

// listen listens on a free port and prints it.
func listen() net.Listener {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	return listener
}

// serveConstant sends what every other server of bench/listener.ts sends, and no other headers.
func serveConstant(length int) {
	body := bytes.Repeat([]byte{'x'}, length)
	server := &fasthttp.Server{
		NoDefaultServerHeader: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(body)
		},
	}
	log.Fatal(server.Serve(listen()))
}

func load(file string) (*index, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	idx := &index{offsets: []int{0}}
	if err := json.Unmarshal(text, &idx.events); err != nil {
		return nil, err
	}
	var fragments bytes.Buffer
	encoder := json.NewEncoder(&fragments)
	encoder.SetEscapeHTML(false)
	for i := range idx.events {
		e := &idx.events[i]
		start, err := time.Parse(time.RFC3339, e.StartDate+"T"+e.StartTime+"Z")
		if err != nil {
			return nil, err
		}
		end := start
		if e.EndDate != nil {
			if end, err = time.Parse(time.RFC3339, *e.EndDate+"T"+*e.EndTime+"Z"); err != nil {
				return nil, err
			}
		}
		idx.starts = append(idx.starts, start.Unix())
		idx.ends = append(idx.ends, end.Unix())
		if err := encoder.Encode(e); err != nil {
			return nil, err
		}
		// The encoder ends a value with a newline.
		fragments.Bytes()[fragments.Len()-1] = ','
		idx.offsets = append(idx.offsets, fragments.Len())
	}
	idx.fragments = fragments.Bytes()
	return idx, nil
}

// first is the place of the first event that starts at or after from.
func (idx *index) first(from int64) int {
	return sort.Search(len(idx.starts), func(i int) bool { return idx.starts[i] >= from })
}

func (idx *index) writeStructs(ctx *fasthttp.RequestCtx, from, to int64) {
	found := answer{Data: data{Events: []*event{}}}
	// None of the workload's events ends before it starts.
	for i := idx.first(from); i < len(idx.starts) && idx.starts[i] <= to; i++ {
		if idx.ends[i] <= to {
			found.Data.Events = append(found.Data.Events, &idx.events[i])
		}
	}
	// json.Marshal, but for writing & < > as they are, like everybody else.
	encoder := json.NewEncoder(withoutNewline{ctx})
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&found); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
	}
}

// withoutNewline leaves out the newline that an encoder ends its one value with.
type withoutNewline struct{ ctx *fasthttp.RequestCtx }

func (w withoutNewline) Write(value []byte) (int, error) {
	w.ctx.Response.AppendBody(bytes.TrimSuffix(value, []byte{'\n'}))
	return len(value), nil
}

func (idx *index) writeFragments(ctx *fasthttp.RequestCtx, from, to int64) {
	response := &ctx.Response
	response.AppendBodyString(`{"data":{"events":[`)
	isFirst := true
	for i := idx.first(from); i < len(idx.starts) && idx.starts[i] <= to; i++ {
		if idx.ends[i] > to {
			continue
		}
		begin := i
		for i+1 < len(idx.starts) && idx.starts[i+1] <= to && idx.ends[i+1] <= to {
			i++
		}
		if !isFirst {
			response.AppendBodyString(",")
		}
		isFirst = false
		// The comma behind the last fragment of a run is written before the next run.
		response.AppendBody(idx.fragments[idx.offsets[begin] : idx.offsets[i+1]-1])
	}
	response.AppendBodyString(`]},"error":null}`)
}
