// Command llama-cpp-backend is a test double of LocalAI's llama-cpp backend: it listens, so
// that local-ai sees it alive, and does nothing else. It is never part of a real appliance.
// local-ai starts it through run.sh beside it.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	address := flag.String("addr", "127.0.0.1:50051", "address to listen on")
	flag.Parse()
	// Standard input is a pipe from local-ai. It ends when local-ai does, even if that is
	// killed; the real backend exits then too.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serve(*address); err != nil {
		fmt.Fprintf(os.Stderr, "llama-cpp-backend: %v\n", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("Server listening on %s\n", address)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		connection.Close()
	}
}
