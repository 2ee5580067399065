// What watches the watcher: workspace, Application Insights, the alerts on ourselves
// and the workbook.
param name string
param location string
param tags object
param appPrincipalId string
param logRetentionDays int
param emergencyEmails string[]

var metricsPublisher = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')

// Tick runs every 15 seconds, so five minutes without one success is no accident.
// A count of rows that finds nothing is 0, not missing, so silence fires.
var alarms = [
  {
    key: 'heartbeat'
    text: 'erfailover has not ticked for five minutes. Nobody is watching the circuits. See infra/README.md: heartbeat.'
    query: 'AppRequests | where OperationName == "Tick" and Success == true'
    operator: 'LessThan'
    threshold: 1
    severity: 0
  }
  {
    key: 'failing'
    text: 'erfailover fails most of its ticks: it runs but cannot do its work. See infra/README.md: failing.'
    query: 'AppRequests | where OperationName == "Tick" and Success == false'
    operator: 'GreaterThan'
    threshold: 10
    severity: 1
  }
  {
    key: 'deadletter'
    text: 'erfailover stored an event that it could not read. See infra/README.md: deadletter.'
    query: 'AppTraces | where Message has "event.broken" or Message has "batch.given_up"'
    operator: 'GreaterThan'
    threshold: 0
    severity: 3
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: logRetentionDays
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    IngestionMode: 'LogAnalytics'
  }
}

resource publish 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, appPrincipalId, metricsPublisher)
  scope: insights
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: metricsPublisher
  }
}

// A group of its own: the automation's own failure must not go through the automation.
resource emergency 'Microsoft.Insights/actionGroups@2026-09-01' = {
  name: 'ag-${name}-emergency'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: 'erf-emergncy'
    enabled: true
    emailReceivers: [for (address, i) in emergencyEmails: {
      name: 'mail-${i}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

resource alarm 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for a in alarms: {
  name: 'sqr-${name}-${a.key}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${a.key}'
    description: a.text
    enabled: true
    severity: a.severity
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    skipQueryValidation: true // the tables exist only after the first request
    criteria: {
      allOf: [
        {
          query: a.query
          timeAggregation: 'Count'
          operator: a.operator
          threshold: a.threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [emergency.id] }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'ExpressRoute failover (${name})'
    category: 'workbook'
    sourceId: workspace.id
    version: 'Notebook/1.0'
    serializedData: loadTextContent('../workbook/erfailover.workbook.json')
  }
}

output workspaceId string = workspace.id
output insightsConnection string = insights.properties.ConnectionString
output emergencyGroupId string = emergency.id
