// The function app: Flex Consumption, Linux, custom handler.
param name string
param suffix string
param location string
param tags object
param identityId string
param identityClientId string
param storageName string
param packageUrl string
param hubNamespace string
param hubName string
param consumerGroup string
param insightsConnection string
param subnetId string
param publicApi string
param alwaysReady int
param instanceMemoryMB int
param maximumInstanceCount int
param teamsWebhookSecretUri string
param pagerDutySecretUri string
param webhookKeySecretUri string
param linkKeySecretUri string
param notifyAllow string
param otlpEndpoint string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

// FUNCTIONS_WORKER_RUNTIME is set by functionAppConfig.runtime and must not be set here.
var settings = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsDisableHomepage: 'true'
  EventHubConnection__fullyQualifiedNamespace: hubNamespace
  EventHubConnection__credential: 'managedidentity'
  EventHubConnection__clientId: identityClientId
  EVENTHUB_NAME: hubName
  EVENTHUB_CONSUMER_GROUP: consumerGroup
  ERFAILOVER_CONFIG: 'erfailover.yaml'
  TEAMS_WEBHOOK_URL: empty(teamsWebhookSecretUri) ? '' : '@Microsoft.KeyVault(SecretUri=${teamsWebhookSecretUri})'
  PAGERDUTY_KEY: empty(pagerDutySecretUri) ? '' : '@Microsoft.KeyVault(SecretUri=${pagerDutySecretUri})'
  ERFAILOVER_LINK_KEY: empty(linkKeySecretUri) ? '' : '@Microsoft.KeyVault(SecretUri=${linkKeySecretUri})'
  ERFAILOVER_WEBHOOK_KEY: empty(webhookKeySecretUri) ? '' : '@Microsoft.KeyVault(SecretUri=${webhookKeySecretUri})'
  ERFAILOVER_NOTIFY_ALLOW: notifyAllow
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

var warm = alwaysReady == 0 ? [] : [
  { name: 'function:CircuitEvents', instanceCount: alwaysReady }
  { name: 'function:Tick', instanceCount: alwaysReady }
]

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${name}-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: publicApi
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'custom', version: '1.0' }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: warm
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      cors: { allowedOrigins: [] }
      appSettings: [for s in items(settings): { name: s.key, value: s.value }]
    }
  }
}

// No publishing by password.
resource basic 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for way in ['ftp', 'scm']: {
  parent: site
  name: way
  properties: { allow: false }
}]

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}/api/'
