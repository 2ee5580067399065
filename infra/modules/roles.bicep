// Three roles, each with what it needs and no more. None can delete, and none can
// read a shared key or an authorization key.
//
// The actions of the failover tests are not in the published list of permissions:
// before the first deployment compare with
//   az provider operation show --namespace Microsoft.Network
targetScope = 'subscription'

@description('Carried in the names of the roles, which are unique in a tenant.')
param name string

@description('Subscriptions in which the roles can be assigned.')
param subscriptionIds string[]

// Reads. ARP and route tables are POSTs; old and new documentation disagree on the
// last word of the action, hence the wildcard.
var observerActions = [
  'Microsoft.Network/expressRouteCircuits/read'
  'Microsoft.Network/expressRouteCircuits/peerings/stats/read'
  'Microsoft.Network/expressRouteCircuits/peerings/arpTables/*'
  'Microsoft.Network/expressRouteCircuits/peerings/routeTables/*'
  'Microsoft.Network/expressRouteCircuits/peerings/routeTablesSummary/*'
  'Microsoft.Network/expressRoutePorts/read'
  'Microsoft.Network/virtualNetworkGateways/read'
  'Microsoft.Network/virtualNetworkGateways/connections/read'
  'Microsoft.Network/virtualNetworkGateways/getlearnedroutes/action'
  'Microsoft.Network/virtualNetworkGateways/getbgppeerstatus/action'
  'Microsoft.Network/virtualNetworkGateways/getadvertisedroutes/action'
  'Microsoft.Network/connections/read'
  'Microsoft.Network/expressRouteGateways/read'
  'Microsoft.Network/expressRouteGateways/expressRouteConnections/read'
  'Microsoft.Network/locations/operations/read'
  'Microsoft.Network/locations/operationResults/read'
  'Microsoft.Insights/metrics/read'
  'Microsoft.ResourceHealth/availabilityStatuses/read'
  'Microsoft.ResourceHealth/availabilityStatuses/current/read'
  'Microsoft.ResourceHealth/events/read'
  'Microsoft.ResourceHealth/events/impactedResources/read'
  'Microsoft.ResourceHealth/impactedResources/read'
]

// A weight is part of a connection, so moving one is a write of the connection, and
// Azure asks for the right to join what the connection joins.
var operatorActions = [
  'Microsoft.Network/connections/write'
  'Microsoft.Network/virtualNetworkGateways/join/action'
  'Microsoft.Network/expressRouteCircuits/join/action'
  'Microsoft.Network/expressRouteGateways/expressRouteConnections/write'
  'Microsoft.Network/virtualHubs/hubRouteTables/read'
  'Microsoft.Network/virtualHubs/routeMaps/read'
]

var drillActions = [
  'Microsoft.Network/virtualNetworkGateways/startSiteFailoverTest/action'
  'Microsoft.Network/virtualNetworkGateways/stopSiteFailoverTest/action'
  'Microsoft.Network/virtualNetworkGateways/getFailoverAllTestsDetails/action'
  'Microsoft.Network/expressRouteGateways/startSiteFailoverTest/action'
  'Microsoft.Network/expressRouteGateways/stopSiteFailoverTest/action'
  'Microsoft.Network/expressRouteGateways/getFailoverAllTestsDetails/action'
  'Microsoft.Network/expressRouteCircuits/startCircuitLinkFailoverTest/action'
  'Microsoft.Network/expressRouteCircuits/stopCircuitLinkFailoverTest/action'
  'Microsoft.Network/expressRouteCircuits/getCircuitLinkFailoverAllTestsDetails/action'
  'Microsoft.Network/virtualNetworkGateways/getRoutesInformation/action'
  'Microsoft.Network/expressRouteGateways/getRoutesInformation/action'
]

var scopes = [for id in subscriptionIds: '/subscriptions/${id}']

resource observer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, name, 'observer')
  properties: {
    roleName: 'ExpressRoute Failover Observer (${name})'
    description: 'Reads circuits, gateways, connections and their health. Writes nothing.'
    type: 'CustomRole'
    permissions: [
      { actions: observerActions, notActions: [] }
    ]
    assignableScopes: scopes
  }
}

resource operator 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, name, 'operator')
  properties: {
    roleName: 'ExpressRoute Failover Operator (${name})'
    description: 'Observer, and writes connections, which is how a routing weight is moved.'
    type: 'CustomRole'
    permissions: [
      { actions: concat(observerActions, operatorActions), notActions: [] }
    ]
    assignableScopes: scopes
  }
}

resource drill 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, name, 'drill')
  properties: {
    roleName: 'ExpressRoute Drill Runner (${name})'
    description: 'Observer, and starts and stops the failover tests of a gateway and of a circuit.'
    type: 'CustomRole'
    permissions: [
      { actions: concat(observerActions, drillActions), notActions: [] }
    ]
    assignableScopes: scopes
  }
}

// Which roles the app gets on what, by the parameter `rights`.
output circuit object = {
  observe: [observer.id]
  operate: [operator.id]
  drill: [operator.id, drill.id]
}
output gateway object = {
  observe: [observer.id]
  operate: [operator.id]
  drill: [operator.id, drill.id]
}
output connection object = {
  observe: [observer.id]
  operate: [operator.id]
  drill: [operator.id]
}
output port object = {
  observe: [observer.id]
  operate: [observer.id]
  drill: [observer.id]
}
output ids object = {
  observer: observer.id
  operator: operator.id
  drill: drill.id
}
