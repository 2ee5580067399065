// The way in for events: a hub, a consumer group of our own, and the action group
// that puts alerts on it.
param name string
param suffix string
param location string
param tags object
param streams string
param appPrincipalId string
param senderId string
param senderPrincipalId string
param captureAccountId string
param endpointSubnetId string
param zoneId string

var private = !empty(endpointSubnetId)
var dataReceiver = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde')
var dataSender = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '2b629674-e913-4c01-ae53-ef4638d8f975')

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-${name}-${suffix}'
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard', capacity: 1 }
  identity: empty(captureAccountId) ? null : {
    type: 'UserAssigned'
    userAssignedIdentities: { '${senderId}': {} }
  }
  properties: {
    // Azure Monitor streams with an access rule and nothing else.
    disableLocalAuth: streams != 'hub'
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
    isAutoInflateEnabled: true
    maximumThroughputUnits: 4
  }
}

// Denied to the internet; Azure Monitor comes in as a trusted service.
resource rules 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: 'Enabled'
    defaultAction: private ? 'Deny' : 'Allow'
    trustedServiceAccessEnabled: true
  }
}

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: namespace
  name: 'circuit-events'
  properties: {
    partitionCount: 4
    messageRetentionInDays: 7
    captureDescription: empty(captureAccountId) ? null : {
      enabled: true
      encoding: 'Avro'
      intervalInSeconds: 300
      sizeLimitInBytes: 104857600
      skipEmptyArchives: true
      destination: {
        name: 'EventHubArchive.AzureBlockBlob'
        identity: { type: 'UserAssigned', userAssignedIdentity: senderId }
        properties: {
          storageAccountResourceId: captureAccountId
          blobContainer: 'circuit-events'
          archiveNameFormat: '{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}'
        }
      }
    }
  }
}

resource consumers 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: hub
  name: 'erfailover'
  properties: {}
}

resource rule 'Microsoft.EventHub/namespaces/authorizationRules@2024-01-01' = if (streams == 'hub') {
  parent: namespace
  name: 'azure-monitor'
  properties: { rights: ['Listen', 'Manage', 'Send'] }
}

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, appPrincipalId, dataReceiver)
  scope: hub
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: dataReceiver
  }
}

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, senderPrincipalId, dataSender)
  scope: hub
  properties: {
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: dataSender
  }
}

// Global, because Service Health alerts take no other.
resource actions 'Microsoft.Insights/actionGroups@2026-09-01' = {
  name: 'ag-${name}-events'
  location: 'Global'
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${senderId}': {} }
  }
  properties: {
    groupShortName: 'erfailover'
    enabled: true
    eventHubReceivers: [
      {
        name: 'hub'
        subscriptionId: subscription().subscriptionId
        tenantId: tenant().tenantId
        eventHubNameSpace: namespace.name
        eventHubName: hub.name
        useCommonAlertSchema: true
        managedIdentity: senderPrincipalId
      }
    ]
  }
  dependsOn: [send]
}

module endpoint 'endpoint.bicep' = if (private) {
  name: '${name}-hub-endpoint'
  params: {
    name: name
    location: location
    tags: tags
    subnetId: endpointSubnetId
    zoneId: zoneId
    targetId: namespace.id
    part: 'namespace'
  }
}

output host string = split(replace(namespace.properties.serviceBusEndpoint, 'https://', ''), ':')[0]
output hubName string = hub.name
output consumerGroup string = consumers.name
output ruleId string = streams == 'hub' ? rule.id : ''
output actionGroupId string = actions.id
