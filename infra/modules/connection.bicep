// One connection of a virtual network's gateway: the thing that may be written, and
// the news that somebody wrote it.
param name string
param connectionName string
param tags object
param principalId string
param roleIds string[]
param actionGroupId string

resource connection 'Microsoft.Network/connections@2025-09-01' existing = {
  name: connectionName
}

resource written 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'ala-${name}-${connectionName}-written'
  location: 'Global'
  tags: tags
  properties: {
    description: 'Somebody wrote ${connectionName}. To erfailover, which then looks for drift.'
    enabled: true
    scopes: [connection.id]
    condition: {
      allOf: [
        { field: 'category', equals: 'Administrative' }
        { field: 'operationName', equals: 'Microsoft.Network/connections/write' }
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
  name: guid(connection.id, principalId, r)
  scope: connection
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
