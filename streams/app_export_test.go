package streams

// Abandon makes Run return at once without a commit, as if the process had died.
func (a *App) Abandon() { a.instance.Abandon() }
