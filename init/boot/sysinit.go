package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/services"
	"rancheros/services/preload"
	"rancheros/services/writefiles"
	"rancheros/sys/kmsg"
)

// sysinitRun is what the steps after the engine's start share.
type sysinitRun struct {
	log    *slog.Logger
	config *cloudconfig.Config
	system *services.Engine
	runner step.Runner
}

// services come up when System Docker answers.
var sysinit = []step.Step[*sysinitRun]{
	step.Must("System Docker answers", systemDocker),
	step.Should("preload system images", preloadSystem),
	step.Should("start services", startServices),
}

// engineStart is how long an engine may take until it answers; slow disks and
// emulated processors are the reason that it is long.
const engineStart = 3 * time.Minute

// SysinitMain is the child of process 1 that brings the services up.
func SysinitMain(ctx context.Context, _ []string) int {
	// The engine's own signals are not for us.
	signal.Ignore(unix.SIGHUP)
	log := kmsg.Logger(slog.LevelInfo)
	record, err := step.OpenRecord(paths.BootRecord)
	if err != nil {
		log.Error("sysinit", "err", err)
		return 1
	}
	defer record.Close()
	config, _, err := cloudconfig.Load("/")
	if config == nil {
		log.Error("sysinit", "err", err)
		return 1
	}
	s := &sysinitRun{log: log, config: config, runner: step.Runner{Log: log, Record: record}}
	if err := step.Run(ctx, s.runner, "services", s, sysinit); err != nil {
		log.Error("sysinit", "err", err)
		return 1
	}
	log.Info("ros is up", "seconds", fmt.Sprintf("%.1f", step.Uptime()))
	return 0
}

func systemDocker(ctx context.Context, s *sysinitRun) error {
	e, err := services.Connect(paths.SystemDockerSocket)
	if err != nil {
		return err
	}
	if err := e.Ready(ctx, engineStart); err != nil {
		return fmt.Errorf("see %s: %w", paths.SystemDockerLog, err)
	}
	s.system = e
	kmsg.Write(kmsg.Notice, "mark system_docker")
	return nil
}

// preloadSystem loads the archives that a person put there for System Docker,
// before the services that may need them.
func preloadSystem(ctx context.Context, s *sysinitRun) error {
	return preload.Load(ctx, s.system, paths.Preload+"/system-docker")
}

// definitionsPatience is how long the console waits for the definitions of
// services that have to be fetched.
const definitionsPatience = 30 * time.Second

// startServices brings the project up; each service is a line of the record.
func startServices(ctx context.Context, s *sysinitRun) error {
	// Services start while the config is read again.
	var current atomic.Pointer[cloudconfig.Config]
	current.Store(s.config)
	project, problems := services.Load(ctx, s.config, false)
	for _, p := range problems {
		s.log.Warn("service left out", "err", p)
	}
	_, err := services.Up(ctx, project, services.Options{
		System: s.system,
		User:   userDocker,
		Policy: services.Policy{Boot: true},
		OnHost: true,
		Files: func(ctx context.Context, service string) (io.Reader, error) {
			return writefiles.For(current.Load())(ctx, service)
		},
		Reload: func(ctx context.Context) (services.Project, []error) {
			config, _, err := cloudconfig.Load("/")
			if config == nil {
				return project, []error{err}
			}
			current.Store(config)
			return services.LoadOnline(ctx, config, services.Online, definitionsPatience)
		},
		Report: s.report,
		Log:    s.log,
	})
	return err
}

func (s *sysinitRun) report(r services.Result) {
	res := step.Result{
		Phase: "service", Name: r.Name, Start: step.Uptime() - r.Took.Seconds(), Took: r.Took.Seconds(),
		Outcome: step.Done, Detail: r.Why,
	}
	if r.Err != nil {
		res.Outcome, res.Detail = step.Failed, r.Err.Error()
		s.log.Warn("service", "name", r.Name, "err", r.Err)
	} else {
		s.log.Info(fmt.Sprintf("service %s: %s (%.0f ms)", r.Name, r.Verb, r.Took.Seconds()*1000))
	}
	s.runner.Write(res)
}

// userDocker returns the user's engine when it answers.
func userDocker(ctx context.Context) (services.Docker, error) {
	e, err := services.Connect(paths.DockerSocket)
	if err != nil {
		return nil, err
	}
	if err := e.Ready(ctx, engineStart); err != nil {
		return nil, errors.Join(fmt.Errorf("user docker, see %s: %w", paths.DockerLog, err), e.Close())
	}
	kmsg.Write(kmsg.Notice, "mark user_docker")
	return e, nil
}
