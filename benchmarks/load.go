// The load that zot's benchmark puts on a registry, written anew from its description: several workers push and pull whole
// images at once, each blob by POST, PATCH and PUT, each pull by HEAD and GET of the manifest and of every blob.
//
// It is a program of its own, in Go, so that the client is not what is measured. It prints one JSON document.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	piece         = 1 << 20
)

// filling is what all layers are made of; each begins with a number of its own, and so has another digest.
var filling = make([]byte, piece)

// A blob is never in memory as a whole: it is a head of its own, and then the filling over and over.
type blob struct {
	head   []byte
	size   int64
	digest string
}

func newBlob(head []byte, size int64) blob {
	made := blob{head: head, size: size}
	sum := sha256.New()
	if _, err := io.Copy(sum, made.reader()); err != nil {
		panic(err)
	}
	made.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return made
}

func (b blob) reader() io.Reader {
	return io.LimitReader(io.MultiReader(bytes.NewReader(b.head), &repeated{}), b.size)
}

type repeated struct{ at int }

func (r *repeated) Read(into []byte) (int, error) {
	count := copy(into, filling[r.at:])
	r.at = (r.at + count) % len(filling)
	return count, nil
}

type image struct {
	tag           string
	config, layer blob
	manifest      []byte
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// newImage makes an image that no registry has seen; its digests are known before anything is timed.
func newImage(tag string, size int64) image {
	unique := make([]byte, 32)
	if _, err := rand.Read(unique); err != nil {
		panic(err)
	}
	config := []byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]},"author":"%x"}`, unique))
	made := image{tag: tag, config: newBlob(config, int64(len(config))), layer: newBlob(unique, size)}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     mediaManifest,
		"config":        descriptor{mediaConfig, made.config.digest, made.config.size},
		"layers":        []descriptor{{mediaLayer, made.layer.digest, made.layer.size}},
	})
	if err != nil {
		panic(err)
	}
	made.manifest = manifest
	return made
}

type registry struct {
	base, repository, authorization string
	client                          *http.Client
}

// ask sends one request and insists on a status; the caller closes the body.
func (r *registry) ask(method, where string, status int, body io.Reader, size int64, kind string) (*http.Response, error) {
	if strings.HasPrefix(where, "/") {
		where = r.base + where
	}
	request, err := http.NewRequest(method, where, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = size
	if size == 0 {
		request.Body = http.NoBody
	}
	if r.authorization != "" {
		request.Header.Set("Authorization", r.authorization)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("Accept", mediaManifest)
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != status {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		answer.Body.Close()
		return nil, fmt.Errorf("%s %s: %d instead of %d: %s", method, where, answer.StatusCode, status, said)
	}
	return answer, nil
}

// done is ask for an answer of which only the end is waited for.
func (r *registry) done(method, where string, status int, body io.Reader, size int64, kind string) (http.Header, error) {
	answer, err := r.ask(method, where, status, body, size, kind)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Header, err
}

func (r *registry) pushBlob(b blob) error {
	begun, err := r.done("POST", "/v2/"+r.repository+"/blobs/uploads/", 202, nil, 0, "")
	if err != nil {
		return err
	}
	grown, err := r.done("PATCH", begun.Get("Location"), 202, b.reader(), b.size, "application/octet-stream")
	if err != nil {
		return err
	}
	place, err := url.Parse(grown.Get("Location"))
	if err != nil {
		return err
	}
	query := place.Query()
	query.Set("digest", b.digest)
	place.RawQuery = query.Encode()
	_, err = r.done("PUT", place.String(), 201, nil, 0, "")
	return err
}

func (r *registry) push(i image) error {
	for _, part := range []blob{i.config, i.layer} {
		if err := r.pushBlob(part); err != nil {
			return err
		}
	}
	where := "/v2/" + r.repository + "/manifests/" + i.tag
	_, err := r.done("PUT", where, 201, bytes.NewReader(i.manifest), int64(len(i.manifest)), mediaManifest)
	return err
}

// pull looks at the length of every body; to hash each as well would measure the client.
func (r *registry) pull(i image) error {
	where := "/v2/" + r.repository + "/manifests/" + i.tag
	if err := r.read(where, int64(len(i.manifest))); err != nil {
		return err
	}
	for _, part := range []blob{i.config, i.layer} {
		if err := r.read("/v2/"+r.repository+"/blobs/"+part.digest, part.size); err != nil {
			return err
		}
	}
	return nil
}

func (r *registry) read(where string, size int64) error {
	if _, err := r.done("HEAD", where, 200, nil, 0, ""); err != nil {
		return err
	}
	answer, err := r.ask("GET", where, 200, nil, 0, "")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.Copy(discarding{make([]byte, piece)}, answer.Body)
	if err == nil && got != size {
		err = fmt.Errorf("GET %s: %d bytes instead of %d", where, got, size)
	}
	return err
}

// discarding reads in pieces of 1 MiB, where io.Discard would take 8 KiB at a time.
type discarding struct{ buffer []byte }

func (d discarding) Write(p []byte) (int, error) { return len(p), nil }

func (d discarding) ReadFrom(from io.Reader) (total int64, err error) {
	for {
		count, err := from.Read(d.buffer)
		total += int64(count)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// isPull says what each request does: of a mixed load three in four are pulls, the pushes evenly between them.
func isPull(workload string, number int) bool {
	return workload == "pull" || (workload == "mixed" && number%4 != 3)
}

type figures struct {
	Requests  int     `json:"requests"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

func (r *registry) load(workload string, images []image, pulled image, workers int) (figures, error) {
	numbers := make(chan int, len(images))
	for number := range images {
		numbers <- number
	}
	close(numbers)
	spent := make([]float64, len(images))
	failures := make(chan error, workers)
	var group sync.WaitGroup
	began := time.Now()
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := range numbers {
				start := time.Now()
				var err error
				if isPull(workload, number) {
					err = r.pull(pulled)
				} else {
					err = r.push(images[number])
				}
				if err != nil {
					failures <- err
					return
				}
				spent[number] = time.Since(start).Seconds() * 1000
			}
		}()
	}
	group.Wait()
	seconds := time.Since(began).Seconds()
	select {
	case err := <-failures:
		return figures{}, err
	default:
	}
	sort.Float64s(spent)
	count := len(spent)
	return figures{count, seconds, float64(count) / seconds, spent[count/2], spent[count*99/100]}, nil
}

func run() error {
	base := flag.String("url", "", "where the registry is, as http://127.0.0.1:4510")
	repository := flag.String("repository", "load/images", "the repository, which has to be there")
	workload := flag.String("workload", "push", "push, pull or mixed: of four requests three pulls and one push")
	size := flag.Int64("size", 1<<20, "bytes of the layer of each image")
	workers := flag.Int("workers", 10, "how many work at once")
	requests := flag.Int("requests", 100, "how many images are pushed or pulled by all workers together")
	flag.Parse()
	if *workload != "push" && *workload != "pull" && *workload != "mixed" {
		return fmt.Errorf("no such workload: %s", *workload)
	}
	if _, err := rand.Read(filling); err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: *workers, DisableCompression: true, ReadBufferSize: 1 << 18, WriteBufferSize: 1 << 18}
	to := &registry{*base, *repository, os.Getenv("LOAD_AUTHORIZATION"), &http.Client{Transport: transport}}
	salt := make([]byte, 4)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	// Nothing of one run is there in the next one, which may ask the same server.
	run := binary.BigEndian.Uint32(salt)
	images := make([]image, *requests)
	for number := range images {
		if !isPull(*workload, number) {
			images[number] = newImage(fmt.Sprintf("push-%x-%d", run, number), *size)
		}
	}
	pulled := newImage(fmt.Sprintf("pull-%x", run), *size)
	if *workload != "push" {
		if err := to.push(pulled); err != nil {
			return err
		}
	}
	made, err := to.load(*workload, images, pulled, *workers)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
