// Package ranges is the index that the servers in Go search, as one would write it by hand: events in the order of
// answers, a binary search by start, and the JSON of each event as it was rendered once.
package ranges

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"time"
)

var (
	head  = []byte(`{"data":{"events":[`)
	comma = []byte(`,`)
	tail  = []byte(`]},"error":null}`)
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

// Index holds the events in the order of answers. fragments is the JSON of all of them, each with a comma behind it;
// that of event i is fragments[offsets[i]:offsets[i+1]].
type Index struct {
	events       []event
	starts, ends []int64
	fragments    []byte
	offsets      []int
}

// Load reads a JSON array of search results in the order of answers.
func Load(file string) (*Index, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	index := &Index{offsets: []int{0}}
	if err := json.Unmarshal(text, &index.events); err != nil {
		return nil, err
	}
	var fragments bytes.Buffer
	encoder := json.NewEncoder(&fragments)
	encoder.SetEscapeHTML(false)
	for i := range index.events {
		e := &index.events[i]
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
		index.starts = append(index.starts, start.Unix())
		index.ends = append(index.ends, end.Unix())
		if err := encoder.Encode(e); err != nil {
			return nil, err
		}
		// The encoder ends a value with a newline.
		fragments.Bytes()[fragments.Len()-1] = ','
		index.offsets = append(index.offsets, fragments.Len())
	}
	index.fragments = fragments.Bytes()
	return index, nil
}

// WriteStructs makes the answer of a search of structs, as json.Marshal would but for & < >, which it writes as they
// are, like everybody else.
func (index *Index) WriteStructs(to io.Writer, from, until int64) error {
	found := answer{Data: data{Events: []*event{}}}
	// None of the workload's events ends before it starts.
	for i := index.first(from); i < len(index.starts) && index.starts[i] <= until; i++ {
		if index.ends[i] <= until {
			found.Data.Events = append(found.Data.Events, &index.events[i])
		}
	}
	encoder := json.NewEncoder(withoutNewline{to})
	encoder.SetEscapeHTML(false)
	return encoder.Encode(&found)
}

// withoutNewline leaves out the newline that an encoder ends its one value with.
type withoutNewline struct{ io.Writer }

func (w withoutNewline) Write(value []byte) (int, error) {
	_, err := w.Writer.Write(bytes.TrimSuffix(value, []byte{'\n'}))
	return len(value), err
}

// WriteFragments writes the answer of a search as runs of events as they were rendered.
func (index *Index) WriteFragments(to io.Writer, from, until int64) {
	to.Write(head)
	isFirst := true
	for i := index.first(from); i < len(index.starts) && index.starts[i] <= until; i++ {
		if index.ends[i] > until {
			continue
		}
		begin := i
		for i+1 < len(index.starts) && index.starts[i+1] <= until && index.ends[i+1] <= until {
			i++
		}
		if !isFirst {
			to.Write(comma)
		}
		isFirst = false
		// The comma behind the last fragment of a run is written before the next run.
		to.Write(index.fragments[index.offsets[begin] : index.offsets[i+1]-1])
	}
	to.Write(tail)
}

// first is the place of the first event that starts at or after from.
func (index *Index) first(from int64) int {
	return sort.Search(len(index.starts), func(i int) bool { return index.starts[i] >= from })
}

// ParseRange reads the two dates of a search.
func ParseRange(startsAt, endsAt string) (from, to int64, err error) {
	start, err := time.Parse(time.RFC3339, startsAt)
	if err != nil {
		return 0, 0, err
	}
	end, err := time.Parse(time.RFC3339, endsAt)
	return start.Unix(), end.Unix(), err
}

// Listen listens on a free port and prints it.
func Listen() (net.Listener, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err == nil {
		fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	}
	return listener, err
}
