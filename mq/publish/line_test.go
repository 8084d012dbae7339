package publish

import (
	"bufio"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// Who writes a line is told what is wrong with it in his words.
func TestComplaints(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"exchange":"a","user":"b"}`:      "there is no field user",
		`{"Exchange":"a"}`:                 "there is no field Exchange",
		`{"priority":256}`:                 "field priority has to be a number from 0 to 255",
		`{"priority":-1}`:                  "field priority has to be a number from 0 to 255",
		`{"expiration":60000}`:             "field expiration has to be a string",
		`{"headers":{"n":["a"]}}`:          "field headers/n has to be a string",
		`{"headers":[]}`:                   "field headers has to be an object of strings",
		`{"bodyBase64":"!"}`:               "field bodyBase64 has to be a string in base64",
		`[]`:                               "a line has to be a JSON object",
		`{"body":"a","bodyBase64":"Yg=="}`: "it has body and bodyBase64",
		`not JSON`:                         "jsontext: invalid character 'o' in literal null (expecting 'u') after offset 1",
		`{"body":"a"} {}`:                  "jsontext: invalid character '{' after top-level value after offset 13",
		`{"body":"a","body":"b"}`:          `jsontext: duplicate object member name "body"`,
		`{"body":"a`:                       `jsontext: unexpected EOF within "/body" after offset 10`,
	} {
		if _, err := readMessage([]byte(raw)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

// However a body comes, its lines are those between its line feeds, and a line
// that is too long ends it.
func TestLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := strings.Join(rapid.SliceOf(rapid.StringMatching(`[ab]{0,20}|x{1000}\r?\n|\r?\n|\r\r`)).Draw(t, "body"), "")
		most := rapid.Int64Range(1, 1100).Draw(t, "most")
		from := rapid.SampledFrom([]func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader}).Draw(t, "way")(strings.NewReader(body))
		buffer := rapid.SampledFrom([]int{16, 100, 64 << 10}).Draw(t, "buffer")

		var want []string
		tooLong := false
		for line := range strings.Lines(body) {
			if tooLong = int64(len(line)) > most; tooLong {
				break
			}
			want = append(want, strings.TrimRight(line, "\r\n"))
		}
		in := newLines(httptest.NewRecorder(), io.NopCloser(from), most, time.Minute)
		in.in = bufio.NewReaderSize(in.body, buffer)
		var got []string
		var err error
		for err == nil {
			var line []byte
			if line, err = in.next(); err == nil || errors.Is(err, io.EOF) {
				got = append(got, string(line))
			}
		}
		if errors.Is(err, io.EOF) == tooLong {
			t.Errorf("it ends with %v", err)
		}
		if !tooLong && (body == "" || strings.HasSuffix(body, "\n")) {
			got = got[:len(got)-1] // what comes after the last line feed
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
