// One account: the host's own blobs, the package, the record, the journal. No shared
// keys, so nobody can sign a link to the record.
param name string
param suffix string
param location string
param tags object
param appPrincipalId string
param journalRetentionDays int
param capturePrincipalId string
param copies string
param endpointSubnetId string
param zoneIds object

var private = !empty(endpointSubnetId)

// The host wants Owner for its leases; queues and tables are the host's diagnostics.
var appRoles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: take('st${toLower(replace(name, '-', ''))}${suffix}', 24)
  location: location
  tags: tags
  sku: { name: 'Standard_${copies}' }
  kind: 'StorageV2'
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: { defaultAction: private ? 'Deny' : 'Allow', bypass: 'AzureServices' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: { enabled: true, days: 30 }
    containerDeleteRetentionPolicy: { enabled: true, days: 30 }
  }
}

resource package 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'app-package'
  properties: { publicAccess: 'None' }
}

resource record 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'erfailover'
  properties: { publicAccess: 'None' }
}

resource journal 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'erfailover-journal'
  properties: { publicAccess: 'None' }
}

// Events as they came, when they are captured. Who sends them on may write here only.
resource captured 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = if (!empty(capturePrincipalId)) {
  parent: blobs
  name: 'circuit-events'
  properties: { publicAccess: 'None' }
}

var contributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor

resource captures 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(capturePrincipalId)) {
  name: guid(account.id, capturePrincipalId, contributor)
  scope: captured
  properties: {
    principalId: capturePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}

// Unlocked on purpose: lock it by hand once you are sure of the number of days.
resource immutable 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01' = {
  parent: journal
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: journalRetentionDays
    allowProtectedAppendWrites: true
  }
}

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in appRoles: {
  name: guid(account.id, appPrincipalId, r)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', r)
  }
}]

module endpoints 'endpoint.bicep' = [for part in ['blob', 'queue', 'table']: if (private) {
  name: '${name}-${part}-endpoint'
  params: {
    name: name
    location: location
    tags: tags
    subnetId: endpointSubnetId
    zoneId: zoneIds[part]
    targetId: account.id
    part: part
  }
}]

output name string = account.name
output id string = account.id
output packageUrl string = '${account.properties.primaryEndpoints.blob}${package.name}'
output recordAccount string = 'https://${account.name}.blob.${environment().suffixes.storage}'
output recordContainer string = record.name
output journalContainer string = journal.name
