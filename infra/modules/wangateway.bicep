// One Virtual WAN ExpressRoute gateway. Its connections are its children, so rights on
// the gateway are rights on them. Its metrics carry traffic only: no rule on routes.
param name string
param gatewayName string
param tags object
param principalId string
param roleIds string[]
param actionGroupId string

resource gateway 'Microsoft.Network/expressRouteGateways@2025-09-01' existing = {
  name: gatewayName
}

resource health 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'ala-${name}-${gatewayName}-health'
  location: 'Global'
  tags: tags
  properties: {
    description: 'Resource Health of ${gatewayName}, every status. To erfailover.'
    enabled: true
    scopes: [gateway.id]
    condition: {
      allOf: [
        { field: 'category', equals: 'ResourceHealth' }
      ]
    }
    actions: {
      actionGroups: [
        { actionGroupId: actionGroupId }
      ]
    }
  }
}

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in roleIds: {
  name: guid(gateway.id, principalId, r)
  scope: gateway
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
