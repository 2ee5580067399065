// The Direct variant: your own port pair, and circuits on it. Circuits on one port
// pair share its fate, so the second circuit of a group has to be on another pair.
@description('Azure region of the port.')
param location string = resourceGroup().location

@description('Name that everything carries.')
param name string = 'direct'

@description('Peering location of the port pair; `az network express-route port location list` has them.')
param peeringLocation string = 'Equinix-Ashburn-DC2'

@description('Speed of each of the two ports in gigabits per second.')
@allowed([10, 100, 400])
param gbps int = 10

@description('Dot1Q: one VLAN tag. QinQ: Microsoft gives the outer tag to each circuit.')
@allowed(['Dot1Q', 'QinQ'])
param encapsulation string = 'Dot1Q'

resource port 'Microsoft.Network/expressRoutePorts@2025-09-01' = {
  name: 'erp-${name}'
  location: location
  properties: {
    peeringLocation: peeringLocation
    bandwidthInGbps: gbps
    encapsulation: encapsulation
    billingType: 'MeteredData'
    // Ports are made with their links down. Turn each link on once its cross connect
    // is in, for then the light is yours to watch:
    // links: [
    //   { name: 'link1', properties: { adminState: 'Enabled' } }
    //   { name: 'link2', properties: { adminState: 'Enabled' } }
    // ]
  }
}

resource circuit 'Microsoft.Network/expressRouteCircuits@2025-09-01' = {
  name: 'er-${name}'
  location: location
  sku: { name: 'Standard_MeteredData', tier: 'Standard', family: 'MeteredData' }
  properties: {
    expressRoutePort: { id: port.id }
    bandwidthInGbps: gbps
  }
}

@description('For the parameter portIds of infra/main.bicep.')
output portIds array = [port.id]

@description('For the parameter circuits of infra/main.bicep.')
output circuits array = [
  { id: circuit.id, location: location }
]
