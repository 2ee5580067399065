package cli

import (
	"erfailover/failover/armnet"
	"erfailover/failover/blobstore"
	"erfailover/failover/boltstore"
	"erfailover/failover/config"
	"erfailover/failover/record"
)

// openStore opens the record that a configuration names: an embedded file, or a
// container of Azure Blob Storage under the identity that is used for Azure
// anyway. Of a container nothing is asked here: one that may not be used shows
// with the first call, and the readiness check makes one. A container that has
// never been there is created. Its answers set clk.
func openStore(cfg config.Config, clk *clock) (record.Store, func() error, error) {
	if cfg.Record.Blob == nil {
		s, err := boltstore.Open(cfg.Record.Bolt)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	cred, err := armnet.NewCredential(armnet.Identity(cfg.Azure.Identity.String()), cloudOf(cfg.Azure))
	if err != nil {
		return nil, nil, err
	}
	s, err := blobstore.New(blobstore.Config{Account: cfg.Record.Blob.Account, Container: cfg.Record.Blob.Container, Credential: cred, Create: true, Listen: clk.listen()})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// cloudOf returns which Azure a configuration means.
func cloudOf(a config.Azure) armnet.Config {
	c := armnet.Config{Cloud: armnet.Cloud(a.Cloud)}
	if a.Custom != nil {
		c.Endpoint, c.Audience, c.Authority = a.Custom.ResourceManager, a.Custom.Audience, a.Custom.Authority
		c.Metrics, c.MetricsAudience = a.Custom.Metrics, a.Custom.MetricsAudience
	}
	return c
}
