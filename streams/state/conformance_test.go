package state_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/streams/state"
	"github.com/millrace/millrace/streams/state/statetest"
)

func TestKeyValue(t *testing.T) {
	statetest.KeyValue(t, func() state.KeyValue { return state.NewKeyValue() })
}

func TestWindow(t *testing.T) {
	statetest.Window(t, func(retention time.Duration) state.Window { return state.NewWindow(retention) })
}

func TestSession(t *testing.T) {
	statetest.Session(t, func(retention time.Duration) state.Session { return state.NewSession(retention) })
}

func TestDuplicates(t *testing.T) {
	statetest.Duplicates(t, func(retention time.Duration) state.Duplicates { return state.NewDuplicates(retention) })
}
