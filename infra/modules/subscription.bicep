// The activity log of one subscription: Resource Health, Service Health and the
// writes of others.
targetScope = 'subscription'
param name string
param workspaceId string
param hubRuleId string
param hubName string
param principalId string
param roleIds string[]

var toHub = !empty(hubRuleId)
var categories = ['Administrative', 'ResourceHealth', 'ServiceHealth']

resource activity 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: name
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: toHub ? hubRuleId : null
    eventHubName: toHub ? hubName : null
    logs: [for c in categories: { category: c, enabled: true }]
  }
}

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in roleIds: {
  name: guid(subscription().id, principalId, r)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
