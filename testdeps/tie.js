// Loaded ahead of what a test starts: it ends when the test's end of stdin does,
// so that nothing outlives a test that was killed.
process.stdin.on('end', () => process.exit(0)).resume();
