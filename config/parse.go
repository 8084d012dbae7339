package config

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Load reads and validates a configuration file. The error names every
// problem with its path in the file, one a line.
func Load(path string) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", path, err)
	}
	return c, nil
}

// Parse decodes and validates a configuration, and fills in defaults. An
// unknown key is an error.
func Parse(raw []byte) (*Config, error) {
	c, err := decode(raw)
	if err != nil {
		return nil, err
	}
	c.setDefaults()
	if errs := validate(c); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// Problems are the single problems of which an error of Load or Parse is made,
// each with its path in the file.
func Problems(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

func (c *Config) setDefaults() {
	if c.Mode == "" {
		c.Mode = ModeApply
	}
	setDefault(&c.Brakes.MaxDeletePercent, 30)
	setDefault(&c.Brakes.MinDelete, 10)
	setDefault(&c.Brakes.Window, Duration(10*time.Minute))
	c.BGP.setDefaults()
	if c.MQ != nil && c.MQ.VMVhost == "" {
		c.MQ.VMVhost = DefaultVhost
	}
	for i := range c.BIGIP {
		b := &c.BIGIP[i]
		if b.LoginProvider == "" {
			b.LoginProvider = "tmos"
		}
		if b.MemberType == "" {
			b.MemberType = "pod"
		}
		if b.NodePartition == "" {
			b.NodePartition = "Common"
		}
		if b.NodePort.MaxNodes == 0 {
			b.NodePort.MaxNodes = 100
		}
		setDefault(&b.ResyncInterval, Duration(defaultResync))
		if b.MaxConcurrentCalls == 0 {
			b.MaxConcurrentCalls = 4
		}
	}
}

// setDefault fills in what is not written, where 0 is a value of its own.
func setDefault[T any](option **T, value T) {
	if *option == nil {
		*option = &value
	}
}
