// Program is what the containers of the integration test run:
//
//	program exit CODE
//	program run WORDS    print WORDS and wait for SIGTERM
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "exit" {
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	fmt.Println(strings.Join(os.Args[1:], " "), os.Getenv("GREETING"))
	<-end
}
