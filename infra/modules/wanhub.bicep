// The virtual hub behind a Virtual WAN gateway: its routes are read, and a write of a
// connection asks for its route tables.
param hubName string
param principalId string
param roleIds string[]

resource hub 'Microsoft.Network/virtualHubs@2025-09-01' existing = {
  name: hubName
}

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in roleIds: {
  name: guid(hub.id, principalId, r)
  scope: hub
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
