package armnet

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"erfailover/failover/fault"
)

// azureAssetTag is the chassis tag that every Azure virtual machine carries.
// cloud-init tells Azure by it too.
const azureAssetTag = "7783-7084-3265-9085-8269-3286-77"

const assetTagFile = "/sys/class/dmi/id/chassis_asset_tag"

// Identity says who we are to Azure, as the configuration spells it:
//
//	managed               the system-assigned managed identity
//	managed:<client id>   a user-assigned one
//	workload              workload identity federation, by its AZURE_ variables
//	developer             who is logged in to the az or azd command line
type Identity string

// NewCredential makes the credential of an identity. The cloud comes from cfg, and
// so does the transport when it is set. A managed identity is refused where there
// can be none, so that nothing ever asks 169.254.169.254 outside of Azure.
func NewCredential(id Identity, cfg Config) (azcore.TokenCredential, error) {
	return newCredential(id, cfg, os.Getenv, assetTag)
}

func newCredential(id Identity, cfg Config, env func(string) string, tag func() string) (azcore.TokenCredential, error) {
	conf, err := cloudConfig(cfg)
	if err != nil {
		return nil, err
	}
	opts := azcore.ClientOptions{
		Cloud: conf,
		Retry: policy.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second, TryTimeout: 5 * time.Second},
	}
	transport := cfg.Transport
	if transport == nil {
		transport = NewTransport(nil, nil)
	}
	opts.Transport = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	kind, client, named := strings.Cut(string(id), ":")
	if named && (kind != "managed" || client == "") {
		return nil, invalidConfig("Identity", string(id), "must be managed, managed:<client id>, workload or developer")
	}
	var cred azcore.TokenCredential
	switch kind {
	case "managed":
		if err := managedPossible(env, tag); err != nil {
			return nil, err
		}
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: opts}
		if named {
			o.ID = azidentity.ClientID(client)
		}
		cred, err = azidentity.NewManagedIdentityCredential(o)
	case "workload":
		cred, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: opts, DisableInstanceDiscovery: cfg.Cloud == Custom,
		})
	case "developer":
		cred, err = developer()
	default:
		return nil, invalidConfig("Identity", string(id), "must be managed, managed:<client id>, workload or developer")
	}
	if err != nil {
		return nil, &fault.Error{Op: "make Azure credential", Target: "Identity", Kind: fault.Invalid, Err: errors.New(scrub(firstLine(err.Error())))}
	}
	return cred, nil
}

// managedPossible refuses a managed identity where there is none.
func managedPossible(env func(string) string, tag func() string) error {
	if env("IDENTITY_ENDPOINT") != "" && env("IDENTITY_HEADER") != "" {
		return nil
	}
	if strings.TrimSpace(tag()) == azureAssetTag {
		return nil
	}
	return &fault.Error{Op: "make Azure credential", Target: "Identity", Kind: fault.Invalid, Code: "NoManagedIdentity",
		Hint: "turn on the app's managed identity, or set azure.identity to workload or developer",
		Err:  errors.New("IDENTITY_ENDPOINT and IDENTITY_HEADER are not set, and this is no Azure virtual machine")}
}

// assetTag reads the chassis tag of this machine, "" if it has none.
func assetTag() string {
	b, err := os.ReadFile(assetTagFile)
	if err != nil {
		return ""
	}
	return string(b)
}

// developer takes the login of the az command line, then that of azd.
func developer() (azcore.TokenCredential, error) {
	az, err := azidentity.NewAzureCLICredential(nil)
	if err != nil {
		return nil, err
	}
	azd, err := azidentity.NewAzureDeveloperCLICredential(nil)
	if err != nil {
		return nil, err
	}
	return azidentity.NewChainedTokenCredential([]azcore.TokenCredential{az, azd}, nil)
}
