// goregistry is a registry with the referrers API, for tests: neither docker-registry nor distribution has it.
//
// It keeps blobs below the directory given as its argument and manifests in memory, and says on standard output
// where it listens.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s DIR", os.Args[0])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, registry.New(
		registry.WithReferrersSupport(true),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(os.Args[1])),
		registry.Logger(log.New(io.Discard, "", 0)))))
}
