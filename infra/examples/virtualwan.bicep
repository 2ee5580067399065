// The Virtual WAN variant: the gateway is in a hub, and the connection is its child.
// Its connections carry a weight but no tags, so there the epoch lives in the weight
// alone. Both circuits exist already and have a private peering.
@description('Azure region of the hub.')
param location string = resourceGroup().location

@description('Name that everything carries.')
param name string = 'wan'

@description('Resource IDs of two provisioned circuits, the preferred one first. Both need the tier Standard or Premium.')
@minLength(2)
@maxLength(4)
param circuitIds string[]

resource wan 'Microsoft.Network/virtualWans@2025-09-01' = {
  name: 'vwan-${name}'
  location: location
  properties: { type: 'Standard' }
}

resource hub 'Microsoft.Network/virtualHubs@2025-09-01' = {
  name: 'hub-${name}'
  location: location
  properties: {
    virtualWan: { id: wan.id }
    addressPrefix: '10.70.0.0/23'
    hubRoutingPreference: 'ExpressRoute'
  }
}

resource gateway 'Microsoft.Network/expressRouteGateways@2025-09-01' = {
  name: 'ergw-${name}'
  location: location
  properties: {
    virtualHub: { id: hub.id }
    autoScaleConfiguration: { bounds: { min: 1 } }
  }
}

@batchSize(1)
resource connection 'Microsoft.Network/expressRouteGateways/expressRouteConnections@2025-09-01' = [for (id, i) in circuitIds: {
  parent: gateway
  name: 'cn-${name}-${i}'
  properties: {
    expressRouteCircuitPeering: { id: '${id}/peerings/AzurePrivatePeering' }
    routingWeight: 200 - 100 * i
  }
}]

@description('For the parameter wanGateways of infra/main.bicep.')
output wanGateways array = [
  { id: gateway.id, hubId: hub.id }
]
