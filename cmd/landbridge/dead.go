package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/dead"
)

type deadCommand struct {
	config  string
	output  string
	id      string
	limit   int
	timeout time.Duration
}

func newDead() *cobra.Command {
	d := &deadCommand{}
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Look at dead letters, and send them back",
		Long: "Dead letters are messages that had no effect after all attempts, or that a pod\n" +
			"refused. They wait on the broker, in landbridge.<cluster>.dead.<queue>.",
		Args: cobra.NoArgs,
	}
	list := &cobra.Command{
		Use: "list QUEUE|VHOST:QUEUE", Short: "Show the dead letters of a queue, with the reason of each", Args: cobra.ExactArgs(1),
		Example: "  landbridge dead list orders.work --config landbridge.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.list(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
	replay := &cobra.Command{
		Use: "replay QUEUE|VHOST:QUEUE", Short: "Send dead letters back into their queue, with all attempts before them", Args: cobra.ExactArgs(1),
		Example: "  landbridge dead replay orders.work --id order-4711 --config landbridge.yaml\n" +
			"  landbridge dead replay orders.work --config landbridge.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.replay(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
	for _, c := range []*cobra.Command{list, replay} {
		d.register(c.Flags())
	}
	list.Flags().StringVarP(&d.output, "output", "o", "text", "text or json")
	replay.Flags().StringVar(&d.id, "id", "", "only the message with this id")
	cmd.AddCommand(list, replay)
	return cmd
}

func (d *deadCommand) register(f *pflag.FlagSet) {
	f.StringVar(&d.config, "config", "/etc/landbridge/config.yaml", "configuration file")
	f.IntVar(&d.limit, "limit", 100, "how many at most")
	f.DurationVar(&d.timeout, "timeout", time.Minute, "how long it may take")
}

func (d *deadCommand) list(ctx context.Context, queue string, w io.Writer) error {
	if err := checkOutput(d.output); err != nil {
		return err
	}
	return d.at(ctx, queue, func(ctx context.Context, hub *broker.Hub, names broker.Names, vhost, queue string) error {
		session, err := hub.Link(vhost, broker.RoleControl).Await(ctx)
		if err != nil {
			return err
		}
		letters, err := dead.List(ctx, session, names, queue, d.limit)
		if err != nil {
			return err
		}
		if d.output == "json" {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(letters)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tDIED\tATTEMPTS\tSERVICE\tREASON")
		for _, l := range letters {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", l.ID, l.Died, l.Attempts, l.Service, strings.ReplaceAll(l.Reason, "\n", " "))
		}
		return t.Flush()
	})
}

func (d *deadCommand) replay(ctx context.Context, queue string, w io.Writer) error {
	return d.at(ctx, queue, func(ctx context.Context, hub *broker.Hub, names broker.Names, vhost, queue string) error {
		session, err := hub.Link(vhost, broker.RoleControl).Await(ctx)
		if err != nil {
			return err
		}
		link := hub.Link(vhost, broker.RolePublish)
		if _, err := link.Await(ctx); err != nil {
			return err
		}
		p := broker.NewPublisher(link, 1)
		defer p.Close()
		n, err := dead.Replay(ctx, session, p, names, queue, d.id, d.limit)
		fmt.Fprintf(w, "%d messages are back in queue %s\n", n, queue)
		return err
	})
}

// at connects to the broker for as long as do works with a queue.
func (d *deadCommand) at(ctx context.Context, name string, do func(ctx context.Context, hub *broker.Hub, names broker.Names, vhost, queue string) error) error {
	vhost, queue, err := annotation.ParseQueue(name)
	if err != nil {
		return err
	}
	conf, err := config.Load(d.config)
	if err != nil {
		return err
	}
	if conf.MQ == nil {
		return errNoBroker
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	hub := broker.NewHub(broker.NewDialer(*conf.MQ, "landbridge "+conf.Cluster+" dead"), zap.NewNop(), nil)
	links, unlink := context.WithCancel(context.WithoutCancel(ctx))
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = hub.Run(links) // it ends without an error
	}()
	defer func() {
		unlink()
		<-closed
	}()
	return do(ctx, hub, broker.Names{Cluster: conf.Cluster}, vhost, queue)
}
