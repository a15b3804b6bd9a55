// Package jsonapi answers HTTP requests with JSON: a value, or what is wrong
// and what to do as {"error": "…"} with a status of 400 or more. The control
// socket and the page both speak it.
package jsonapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Error is an answer that refuses a request.
type Error struct {
	Status int // of HTTP
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an Error.
func Errorf(status int, format string, args ...any) error {
	return &Error{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Failure is the body of an answer that refuses.
type Failure struct {
	Error string `json:"error"`
}

// Answer makes a handler of a function that returns what to answer. A request's
// body has at most maxBody bytes.
func Answer[T any](maxBody int64, handle func(*http.Request) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		result, err := handle(r)
		if err != nil {
			Refuse(w, err)
			return
		}
		reply(w, http.StatusOK, result)
	})
}

// Refuse answers with an error. One that is no *Error is about what was asked.
func Refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[*Error](err); ok {
		status = e.Status
	}
	reply(w, status, Failure{err.Error()})
}

// Reply answers with v.
func Reply(w http.ResponseWriter, v any) { reply(w, http.StatusOK, v) }

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the client is gone, perhaps
}

// Decode reads the body of a request. Fields that into does not have are
// refused.
func Decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return Errorf(http.StatusBadRequest, "the request is not what %s takes: %v", r.URL.Path, err)
	}
	return nil
}
