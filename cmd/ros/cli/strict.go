package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes every wrong use of the tree below c an error of code 2 that
// names the help. By itself cobra takes an unknown word after `ros datasource`
// for a wish to read the help, and ends well: a script would never notice.
func strict(c *cobra.Command) {
	c.InitDefaultHelpCmd()
	c.InitDefaultCompletionCmd()
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return misused(c, err) })
	tighten(c)
	if help, _, err := c.Find([]string{"help"}); err == nil {
		help.Args = func(help *cobra.Command, words []string) error {
			of, rest, _ := c.Find(words) // what it does not know is in rest
			return orUnknown(of, rest, func() error { return nil })
		}
	}
}

func tighten(c *cobra.Command) {
	for _, sub := range c.Commands() {
		tighten(sub)
	}
	switch args := c.Args; {
	case c.HasSubCommands() && !c.Runnable():
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error { return orUnknown(c, args, c.Help) }
	case c.HasSubCommands() && args == nil:
		run := c.RunE
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, words []string) error {
			return orUnknown(c, words, func() error { return run(c, words) })
		}
	case args != nil:
		c.Args = func(c *cobra.Command, words []string) error { return misused(c, args(c, words)) }
	}
}

// misused makes err one of the command line, unless it says so itself.
func misused(c *cobra.Command, err error) error {
	if _, ok := errors.AsType[*ExitError](err); err == nil || ok {
		return err
	}
	return &ExitError{2, fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
}

// orUnknown does what a command does without words; any word is a subcommand
// that is not there.
func orUnknown(c *cobra.Command, words []string, do func() error) error {
	if len(words) == 0 {
		return do()
	}
	hint := ""
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(words[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return &ExitError{2, fmt.Errorf("there is no `%s %s`%s; see `%s --help`", c.CommandPath(), words[0], hint, c.CommandPath())}
}

// oneWord completes the only argument of a command out of a list.
func oneWord(list func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return list(), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes the values of a flag that the command has.
func completeFlag(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}
