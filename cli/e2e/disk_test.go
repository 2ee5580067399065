package e2e

func serveOnSmallDisk(string) int { return 1 }
