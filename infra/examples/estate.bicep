// A small estate to try erfailover on: two circuits of different providers at
// different peering locations, one gateway, two connections with weights.
//
//   az group create --name net-try --location eastus
//   az deployment group create --resource-group net-try --template-file infra/examples/estate.bicep
//
// It costs money from the moment that the circuits exist. The providers then have to
// provision their side with the service keys before the peerings and connections can
// be made: deploy with provisioned = false first, true when both providers are done.
@description('Azure region of circuits and gateway.')
param location string = resourceGroup().location

@description('Name that everything carries.')
param name string = 'try'

@description('false: circuits and gateway. true: peerings and connections too, once both providers have provisioned.')
param provisioned bool = false

type circuit = {
  @description('Name of ours, as in the configuration.')
  key: string
  provider: string
  location: string
  mbps: int
  @description('Your BGP AS number, 16 or 32 bits; not 12076, which is Microsoft, and not 65515, which is the gateway.')
  asn: int
  @description('A /30 for the primary link. You take the first address, Microsoft the second.')
  primary: string
  @description('A /30 for the secondary link.')
  secondary: string
  @description('VLAN of the private peering, 1 to 4094.')
  vlan: int
  @description('Routing weight at rest. The highest carries the traffic; erfailover raises above it and comes back to it.')
  weight: int
}

@description('Different providers and different locations: circuits that share either share its fate.')
@minLength(2)
@maxLength(4)
param circuits circuit[] = [
  { key: 'ashburn', provider: 'Equinix', location: 'Washington DC', mbps: 50, asn: 65010, primary: '172.16.10.0/30', secondary: '172.16.10.4/30', vlan: 110, weight: 200 }
  { key: 'chicago', provider: 'Megaport', location: 'Chicago', mbps: 50, asn: 65010, primary: '172.16.20.0/30', secondary: '172.16.20.4/30', vlan: 120, weight: 100 }
]

resource circuit 'Microsoft.Network/expressRouteCircuits@2025-09-01' = [for c in circuits: {
  name: 'er-${name}-${c.key}'
  location: location
  sku: { name: 'Standard_MeteredData', tier: 'Standard', family: 'MeteredData' }
  properties: {
    serviceProviderProperties: {
      serviceProviderName: c.provider
      peeringLocation: c.location
      bandwidthInMbps: c.mbps
    }
    allowClassicOperations: false
  }
}]

resource peering 'Microsoft.Network/expressRouteCircuits/peerings@2025-09-01' = [for (c, i) in circuits: if (provisioned) {
  parent: circuit[i]
  name: 'AzurePrivatePeering'
  properties: {
    peeringType: 'AzurePrivatePeering'
    peerASN: c.asn
    primaryPeerAddressPrefix: c.primary
    secondaryPeerAddressPrefix: c.secondary
    vlanId: c.vlan
  }
}]

resource vnet 'Microsoft.Network/virtualNetworks@2025-09-01' = {
  name: 'vnet-${name}'
  location: location
  properties: {
    addressSpace: { addressPrefixes: ['10.60.0.0/22'] }
    subnets: [
      { name: 'GatewaySubnet', properties: { addressPrefix: '10.60.0.0/26' } }
      { name: 'work', properties: { addressPrefix: '10.60.1.0/24' } }
    ]
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2025-09-01' = {
  name: 'pip-${name}-gw'
  location: location
  sku: { name: 'Standard' }
  zones: ['1', '2', '3']
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/virtualNetworkGateways@2025-09-01' = {
  name: 'gw-${name}'
  location: location
  properties: {
    gatewayType: 'ExpressRoute'
    sku: { name: 'ErGw1AZ', tier: 'ErGw1AZ' }
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          subnet: { id: '${vnet.id}/subnets/GatewaySubnet' }
          publicIPAddress: { id: address.id }
        }
      }
    ]
  }
}

// One at a time: a gateway takes one connection write and refuses the next with 409.
@batchSize(1)
resource connection 'Microsoft.Network/connections@2025-09-01' = [for (c, i) in circuits: if (provisioned) {
  name: 'cn-${name}-${c.key}'
  location: location
  properties: {
    connectionType: 'ExpressRoute'
    virtualNetworkGateway1: { id: gateway.id, properties: {} }
    peer: { id: circuit[i].id }
    routingWeight: c.weight
  }
  dependsOn: [peering]
}]

@description('For the parameter circuits of infra/main.bicep.')
output circuits array = [for (c, i) in circuits: { id: circuit[i].id, location: location }]

@description('For the parameter gateways of infra/main.bicep.')
output gateways array = [
  { id: gateway.id, location: location }
]

@description('For the parameter connectionIds of infra/main.bicep.')
output connectionIds array = [for c in circuits: resourceId('Microsoft.Network/connections', 'cn-${name}-${c.key}')]
