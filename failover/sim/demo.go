package sim

// Demo is the estate of the demo with its names.
type Demo struct {
	Fabric      *Fabric
	Circuits    map[string]string // er-ashburn -> resource ID
	Gateways    map[string]string // gw-east-1 -> resource ID
	Connections map[string]string // gw-east-1/er-ashburn -> resource ID
}

// DemoEstate returns a fresh estate of six circuits and eight gateways.
func DemoEstate() Demo { f, _ := NewFabric(Spec{}); return Demo{Fabric: f} }
