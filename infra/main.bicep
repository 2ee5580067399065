// erfailover in one subscription: what it runs on, what feeds it, what it may do.
//
//   az deployment sub create --location <region> --template-file infra/main.bicep --parameters <your file>
//
// Deploys nothing that moves traffic: `rights` is `observe` by default, and then the
// app's identity cannot write to the network at all.
targetScope = 'subscription'

type circuit = {
  @description('Resource ID of the ExpressRoute circuit. It may be in another subscription of the tenant.')
  id: string

  @description('Azure region of the circuit resource. Needed only for streams = hub: a resource streams only to a hub in its own region.')
  location: string?
}

type gateway = {
  @description('Resource ID of the gateway: Microsoft.Network/virtualNetworkGateways, type ExpressRoute.')
  id: string

  @description('true for the scalable SKU (ErGwScale), whose metrics have other names.')
  scalable: bool?

  @description('Azure region of the gateway. Needed only for streams = hub.')
  location: string?
}

type wanGateway = {
  @description('Resource ID of the gateway: Microsoft.Network/expressRouteGateways. Its connections are part of it.')
  id: string

  @description('Resource ID of its virtual hub, whose routes are read.')
  hubId: string
}

@description('Short name that every resource carries. Two deployments in one subscription need two names.')
@minLength(3)
@maxLength(11)
param name string = 'erfailover'

@description('Azure region of the app and its hub. Take one that keeps working when your busiest peering location does not.')
param location string = deployment().location

@description('Resource group for everything that is ours. It is made when it is missing.')
param resourceGroupName string = 'rg-${name}-${location}'

@description('Tags for everything that is ours.')
param tags object = {}

@description('The circuits to watch.')
@minLength(1)
param circuits circuit[]

@description('The ExpressRoute gateways of virtual networks.')
param gateways gateway[] = []

@description('Resource IDs of the connections (Microsoft.Network/connections) whose weights may be moved. Only these can be written to.')
param connectionIds string[] = []

@description('The ExpressRoute gateways of Virtual WAN hubs.')
param wanGateways wanGateway[] = []

@description('Resource IDs of ExpressRoute Direct ports, for line protocol and light levels.')
param portIds string[] = []

@description('What the app may do to the network. observe: read only, whatever the configuration says. operate: write the weights of the connections above. drill: operate, and start and stop the gateways\' failover tests.')
@allowed(['observe', 'operate', 'drill'])
param rights string = 'observe'

@description('Where the app may read. resources: only what is named above. subscriptions: everything that Observer reads in their subscriptions; take it if Azure refuses the polling of long operations, whose addresses belong to the subscription.')
@allowed(['resources', 'subscriptions'])
param readScope string = 'resources'

@description('Where diagnostic settings and the activity log go besides the alerts. workspace: Log Analytics, and the event hub stays Entra only. hub: the event hub, which then has to accept shared access keys, because Azure Monitor streams with nothing else.')
@allowed(['workspace', 'hub'])
param streams string = 'workspace'

@description('Network of its own with private endpoints for storage and hub. false: public endpoints, still Entra only.')
param privateNetwork bool = true

@description('Address space of that network; at least a /26. It is not peered with anything.')
param addressPrefix string = '10.255.240.0/26'

@description('Whether the HTTP API and the dashboard answer on the public endpoint. Callers prove who they are in any case.')
@allowed(['Enabled', 'Disabled'])
param publicApi string = 'Enabled'

@description('Instances kept warm for the event hub trigger and for the tick, each. 0 saves money and costs a cold start at the worst time.')
@minValue(0)
@maxValue(2)
param alwaysReady int = 1

@description('Memory of one instance in megabytes.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Upper bound on instances. 40 is the least that Flex Consumption takes.')
@minValue(40)
@maxValue(200)
param maximumInstanceCount int = 40

@description('Whether every event is also kept in our storage, container circuit-events, as Avro, for auditors and tools of your own. The program reads it never.')
param capture bool = false

@description('Copies of our storage. ZRS: three zones of this region. GZRS: and a copy in the paired region, to which the account can be failed over; take it for the deployment that holds the record of two regions.')
@allowed(['ZRS', 'GZRS'])
param storageCopies string = 'ZRS'

@description('Resource ID of the storage account of another deployment, whose record is used: then both apps work for one estate as equals, and either goes on alone. Empty: a record of its own.')
param recordAccountId string = ''

@description('Days that an entry of the journal cannot be changed or removed by anybody.')
@minValue(1)
@maxValue(3650)
param journalRetentionDays int = 365

@description('Days that logs and requests are kept in the workspace.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('E-mail addresses that are told when the automation itself is silent or failing. Not a substitute for the pager.')
param emergencyEmails string[] = []

@description('Key Vault secret URI of the Teams webhook, or empty. The URI, never the secret.')
param teamsWebhookSecretUri string = ''

@description('Key Vault secret URI of the PagerDuty routing key, or empty. The URI, never the key.')
param pagerDutySecretUri string = ''

@description('Key Vault secret URI of the key that signs what is posted to webhooks, or empty: then it is not signed. The URI, never the key.')
param webhookKeySecretUri string = ''

@description('Key Vault secret URI of the key that signs the links by which an announced drill is called off, 32 random characters or more, or empty: then announcements carry no link. The URI, never the key.')
param linkKeySecretUri string = ''

@description('Inner networks that webhooks of yours may be in, with commas: 10.1.2.0/24,10.9.0.7/32. Empty: none.')
param notifyAllow string = ''

@description('Base URL of an OpenTelemetry collector that takes OTLP over HTTP, or empty: then nothing is sent.')
param otlpEndpoint string = ''

var suffix = take(uniqueString(subscription().id, resourceGroupName, name), 6)
var watched = concat(circuits, gateways)
var watchedIds = [for w in watched: w.id]
var wanIds = [for g in wanGateways: g.id]
var hubIds = [for g in wanGateways: g.hubId]
var allIds = concat(watchedIds, connectionIds, wanIds, hubIds, portIds)
var allSubscriptions = [for id in allIds: split(id, '/')[2]]
var subscriptionIds = union([subscription().subscriptionId], allSubscriptions)

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: '${name}-identity'
  scope: group
  params: { name: name, location: location, tags: tags }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: '${name}-network'
  scope: group
  params: { name: name, location: location, tags: tags, addressPrefix: addressPrefix }
}

module monitor 'modules/monitor.bicep' = {
  name: '${name}-monitor'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    appPrincipalId: identity.outputs.appPrincipalId
    logRetentionDays: logRetentionDays
    emergencyEmails: emergencyEmails
  }
}

module hub 'modules/hub.bicep' = {
  name: '${name}-hub'
  scope: group
  params: {
    name: name
    suffix: suffix
    location: location
    tags: tags
    streams: streams
    appPrincipalId: identity.outputs.appPrincipalId
    senderId: identity.outputs.senderId
    senderPrincipalId: identity.outputs.senderPrincipalId
    captureAccountId: capture ? storage.outputs.id : ''
    endpointSubnetId: privateNetwork ? network.?outputs.endpointSubnetId ?? '' : ''
    zoneId: privateNetwork ? network.?outputs.hubZoneId ?? '' : ''
  }
}

module storage 'modules/storage.bicep' = {
  name: '${name}-storage'
  scope: group
  params: {
    name: name
    suffix: suffix
    location: location
    tags: tags
    appPrincipalId: identity.outputs.appPrincipalId
    capturePrincipalId: capture ? identity.outputs.senderPrincipalId : ''
    copies: storageCopies
    journalRetentionDays: journalRetentionDays
    endpointSubnetId: privateNetwork ? network.?outputs.endpointSubnetId ?? '' : ''
    zoneIds: privateNetwork ? network.?outputs.storageZoneIds ?? {} : {}
  }
}

module sharedRecord 'modules/record.bicep' = if (!empty(recordAccountId)) {
  name: '${name}-record'
  scope: resourceGroup(split(recordAccountId, '/')[2], split(recordAccountId, '/')[4])
  params: { accountName: last(split(recordAccountId, '/')), principalId: identity.outputs.appPrincipalId }
}

// The other deployment's network cannot be reached from here; its account can.
module sharedEndpoint 'modules/endpoint.bicep' = if (!empty(recordAccountId) && privateNetwork) {
  name: '${name}-record-endpoint'
  scope: group
  params: {
    name: '${name}-record'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointSubnetId ?? ''
    zoneId: network.?outputs.storageZoneIds.blob ?? ''
    targetId: recordAccountId
    part: 'blob'
  }
}

module app 'modules/app.bicep' = {
  name: '${name}-app'
  scope: group
  params: {
    name: name
    suffix: suffix
    location: location
    tags: tags
    identityId: identity.outputs.appId
    identityClientId: identity.outputs.appClientId
    storageName: storage.outputs.name
    packageUrl: storage.outputs.packageUrl
    hubNamespace: hub.outputs.host
    hubName: hub.outputs.hubName
    consumerGroup: hub.outputs.consumerGroup
    insightsConnection: monitor.outputs.insightsConnection
    subnetId: privateNetwork ? network.?outputs.appSubnetId ?? '' : ''
    publicApi: publicApi
    alwaysReady: alwaysReady
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    teamsWebhookSecretUri: teamsWebhookSecretUri
    pagerDutySecretUri: pagerDutySecretUri
    webhookKeySecretUri: webhookKeySecretUri
    linkKeySecretUri: linkKeySecretUri
    notifyAllow: notifyAllow
    otlpEndpoint: otlpEndpoint
  }
}

module roles 'modules/roles.bicep' = {
  name: '${name}-roles'
  params: { name: '${name}-${location}', subscriptionIds: subscriptionIds }
}

module everySubscription 'modules/subscription.bicep' = [for id in subscriptionIds: {
  name: '${name}-subscription-${uniqueString(id)}'
  scope: subscription(id)
  params: {
    name: '${name}-${location}'
    workspaceId: streams == 'workspace' ? monitor.outputs.workspaceId : ''
    hubRuleId: hub.outputs.ruleId
    hubName: hub.outputs.hubName
    principalId: identity.outputs.appPrincipalId
    roleIds: readScope == 'subscriptions' ? [roles.outputs.ids.observer] : []
  }
}]

module serviceHealth 'modules/servicehealth.bicep' = {
  name: '${name}-servicehealth'
  scope: group
  params: { name: name, tags: tags, actionGroupId: hub.outputs.actionGroupId }
}

module everyCircuit 'modules/circuit.bicep' = [for c in circuits: {
  name: '${name}-circuit-${uniqueString(c.id)}'
  scope: resourceGroup(split(c.id, '/')[2], split(c.id, '/')[4])
  params: {
    name: '${name}-${location}'
    circuitName: last(split(c.id, '/'))
    tags: tags
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.circuit[rights]
    actionGroupId: hub.outputs.actionGroupId
    workspaceId: streams == 'workspace' ? monitor.outputs.workspaceId : ''
    hubRuleId: (c.?location ?? '') == location ? hub.outputs.ruleId : ''
    hubName: hub.outputs.hubName
  }
}]

module everyGateway 'modules/gateway.bicep' = [for g in gateways: {
  name: '${name}-gateway-${uniqueString(g.id)}'
  scope: resourceGroup(split(g.id, '/')[2], split(g.id, '/')[4])
  params: {
    name: '${name}-${location}'
    gatewayName: last(split(g.id, '/'))
    scalable: g.?scalable ?? false
    tags: tags
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.gateway[rights]
    actionGroupId: hub.outputs.actionGroupId
    workspaceId: streams == 'workspace' ? monitor.outputs.workspaceId : ''
    hubRuleId: (g.?location ?? '') == location ? hub.outputs.ruleId : ''
    hubName: hub.outputs.hubName
  }
}]

module everyConnection 'modules/connection.bicep' = [for id in connectionIds: {
  name: '${name}-connection-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    connectionName: last(split(id, '/'))
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.connection[rights]
    name: '${name}-${location}'
    tags: tags
    actionGroupId: hub.outputs.actionGroupId
  }
}]

module everyWanGateway 'modules/wangateway.bicep' = [for g in wanGateways: {
  name: '${name}-wan-${uniqueString(g.id)}'
  scope: resourceGroup(split(g.id, '/')[2], split(g.id, '/')[4])
  params: {
    name: '${name}-${location}'
    gatewayName: last(split(g.id, '/'))
    tags: tags
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.gateway[rights]
    actionGroupId: hub.outputs.actionGroupId
  }
}]

module everyWanHub 'modules/wanhub.bicep' = [for g in wanGateways: {
  name: '${name}-wanhub-${uniqueString(g.hubId)}'
  scope: resourceGroup(split(g.hubId, '/')[2], split(g.hubId, '/')[4])
  params: {
    hubName: last(split(g.hubId, '/'))
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.connection[rights]
  }
}]

module everyPort 'modules/port.bicep' = [for id in portIds: {
  name: '${name}-port-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    name: '${name}-${location}'
    portName: last(split(id, '/'))
    tags: tags
    principalId: identity.outputs.appPrincipalId
    roleIds: roles.outputs.port[rights]
    actionGroupId: hub.outputs.actionGroupId
  }
}]

@description('Resource group of everything that is ours.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app, for the deployment of the package.')
output SERVICE_APP_NAME string = app.outputs.name

@description('Where the API and the dashboard answer.')
output SERVICE_APP_URL string = app.outputs.url

@description('Value for azure.identity in the configuration.')
output CONFIG_IDENTITY string = 'managed:${identity.outputs.appClientId}'

@description('Value for record.blob.account in the configuration.')
output CONFIG_RECORD_ACCOUNT string = empty(recordAccountId) ? storage.outputs.recordAccount : sharedRecord.?outputs.account ?? ''

@description('Value for recordAccountId of the second region\'s deployment.')
output RECORD_ACCOUNT_ID string = empty(recordAccountId) ? storage.outputs.id : recordAccountId

@description('Value for record.blob.container in the configuration.')
output CONFIG_RECORD_CONTAINER string = storage.outputs.recordContainer

@description('The app\'s identity, to assign roles on what this template does not reach.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.appPrincipalId

@description('Namespace that other monitors may send to, with the role Azure Event Hubs Data Sender.')
output EVENT_HUB_HOST string = hub.outputs.host

@description('Action group that alert rules of your own may name.')
output ACTION_GROUP_ID string = hub.outputs.actionGroupId

@description('Role definitions, for assignments by hand.')
output ROLE_IDS object = roles.outputs.ids
