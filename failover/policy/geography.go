package policy

import "strings"

// Geography returns the geopolitical region of an Azure region, as ExpressRoute
// counts them for the Standard SKU, or "" for a region that is not in the table.
// Source: "ExpressRoute locations and connectivity providers", Microsoft Learn.
func Geography(region string) string {
	key := strings.ToLower(strings.ReplaceAll(region, " ", ""))
	for _, g := range []struct{ name, regions string }{
		{"North America", "eastus eastus2 westus westus2 westus3 centralus northcentralus southcentralus westcentralus canadacentral canadaeast mexicocentral"},
		{"South America", "brazilsouth brazilsoutheast chilecentral"},
		{"Europe", "northeurope westeurope francecentral francesouth germanywestcentral germanynorth norwayeast norwaywest swedencentral swedensouth switzerlandnorth switzerlandwest uksouth ukwest polandcentral italynorth spaincentral austriaeast belgiumcentral"},
		{"Asia", "eastasia southeastasia malaysiawest indonesiacentral"},
		{"Japan", "japaneast japanwest"},
		{"Australia", "australiaeast australiasoutheast australiacentral australiacentral2"},
		{"India", "centralindia southindia westindia jioindiawest jioindiacentral"},
		{"South Korea", "koreacentral koreasouth"},
		{"New Zealand", "newzealandnorth"},
		{"South Africa", "southafricanorth southafricawest"},
		{"Middle East", "uaenorth uaecentral qatarcentral israelcentral"},
		{"US Government", "usgovvirginia usgovarizona usgovtexas usdodeast usdodcentral"},
		{"China", "chinanorth chinanorth2 chinanorth3 chinaeast chinaeast2 chinaeast3"},
	} {
		for r := range strings.SplitSeq(g.regions, " ") {
			if r == key {
				return g.name
			}
		}
	}
	return ""
}
