// Announced maintenance and incidents of ExpressRoute. They name no circuit, only the
// subscription.
param name string
param tags object
param actionGroupId string

var services = ['ExpressRoute', 'ExpressRoute \\ ExpressRoute Circuits', 'ExpressRoute \\ ExpressRoute Gateways']

resource announced 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'ala-${name}-servicehealth'
  location: 'Global'
  tags: tags
  properties: {
    description: 'Service Health for ExpressRoute, to erfailover.'
    enabled: true
    scopes: [subscription().id]
    condition: {
      allOf: [
        { field: 'category', equals: 'ServiceHealth' }
        { field: 'properties.impactedServices[*].ServiceName', containsAny: services }
      ]
    }
    actions: {
      actionGroups: [
        { actionGroupId: actionGroupId }
      ]
    }
  }
}
