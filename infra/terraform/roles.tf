# Three roles, each with what it needs and no more. A test holds these lists equal to
# those of modules/roles.bicep.

locals {
  observer_actions = [
    "Microsoft.Network/expressRouteCircuits/read",
    "Microsoft.Network/expressRouteCircuits/peerings/stats/read",
    "Microsoft.Network/expressRouteCircuits/peerings/arpTables/*",
    "Microsoft.Network/expressRouteCircuits/peerings/routeTables/*",
    "Microsoft.Network/expressRouteCircuits/peerings/routeTablesSummary/*",
    "Microsoft.Network/expressRoutePorts/read",
    "Microsoft.Network/virtualNetworkGateways/read",
    "Microsoft.Network/virtualNetworkGateways/connections/read",
    "Microsoft.Network/virtualNetworkGateways/getlearnedroutes/action",
    "Microsoft.Network/virtualNetworkGateways/getbgppeerstatus/action",
    "Microsoft.Network/virtualNetworkGateways/getadvertisedroutes/action",
    "Microsoft.Network/connections/read",
    "Microsoft.Network/expressRouteGateways/read",
    "Microsoft.Network/expressRouteGateways/expressRouteConnections/read",
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/locations/operationResults/read",
    "Microsoft.Insights/metrics/read",
    "Microsoft.ResourceHealth/availabilityStatuses/read",
    "Microsoft.ResourceHealth/availabilityStatuses/current/read",
    "Microsoft.ResourceHealth/events/read",
    "Microsoft.ResourceHealth/events/impactedResources/read",
    "Microsoft.ResourceHealth/impactedResources/read",
  ]

  operator_actions = [
    "Microsoft.Network/connections/write",
    "Microsoft.Network/virtualNetworkGateways/join/action",
    "Microsoft.Network/expressRouteCircuits/join/action",
    "Microsoft.Network/expressRouteGateways/expressRouteConnections/write",
    "Microsoft.Network/virtualHubs/hubRouteTables/read",
    "Microsoft.Network/virtualHubs/routeMaps/read",
  ]

  drill_actions = [
    "Microsoft.Network/virtualNetworkGateways/startSiteFailoverTest/action",
    "Microsoft.Network/virtualNetworkGateways/stopSiteFailoverTest/action",
    "Microsoft.Network/virtualNetworkGateways/getFailoverAllTestsDetails/action",
    "Microsoft.Network/expressRouteGateways/startSiteFailoverTest/action",
    "Microsoft.Network/expressRouteGateways/stopSiteFailoverTest/action",
    "Microsoft.Network/expressRouteGateways/getFailoverAllTestsDetails/action",
    "Microsoft.Network/expressRouteCircuits/startCircuitLinkFailoverTest/action",
    "Microsoft.Network/expressRouteCircuits/stopCircuitLinkFailoverTest/action",
    "Microsoft.Network/expressRouteCircuits/getCircuitLinkFailoverAllTestsDetails/action",
    "Microsoft.Network/virtualNetworkGateways/getRoutesInformation/action",
    "Microsoft.Network/expressRouteGateways/getRoutesInformation/action",
  ]

  roles = {
    observer = { title = "ExpressRoute Failover Observer", actions = local.observer_actions, text = "Reads circuits, gateways, connections and their health. Writes nothing." }
    operator = { title = "ExpressRoute Failover Operator", actions = concat(local.observer_actions, local.operator_actions), text = "Observer, and writes connections, which is how a routing weight is moved." }
    drill    = { title = "ExpressRoute Drill Runner", actions = concat(local.observer_actions, local.drill_actions), text = "Observer, and starts and stops the failover tests of a gateway and of a circuit." }
  }

  writer = var.rights == "observe" ? "observer" : "operator"

  # One assignment for each resource and role, by a key that does not depend on order.
  assignments = merge(
    { for c in var.circuits : "${c.id}|${local.writer}" => { scope = c.id, role = local.writer } },
    { for c in var.circuits : "${c.id}|drill" => { scope = c.id, role = "drill" } if var.rights == "drill" },
    { for g in var.gateways : "${g.id}|${local.writer}" => { scope = g.id, role = local.writer } },
    { for g in var.gateways : "${g.id}|drill" => { scope = g.id, role = "drill" } if var.rights == "drill" },
    { for id in var.connection_ids : "${id}|${local.writer}" => { scope = id, role = local.writer } },
    { for g in var.wan_gateways : "${g.id}|${local.writer}" => { scope = g.id, role = local.writer } },
    { for g in var.wan_gateways : "${g.id}|drill" => { scope = g.id, role = "drill" } if var.rights == "drill" },
    { for g in var.wan_gateways : "${g.hub_id}|${local.writer}" => { scope = g.hub_id, role = local.writer } },
    { for id in var.port_ids : "${id}|observer" => { scope = id, role = "observer" } },
    { for id in local.subscription_ids : "${id}|observer" => { scope = "/subscriptions/${id}", role = "observer" } if var.read_scope == "subscriptions" },
  )
}

resource "azurerm_role_definition" "main" {
  for_each          = local.roles
  name              = "${each.value.title} (${local.rule_prefix})"
  description       = each.value.text
  scope             = "/subscriptions/${var.subscription_id}"
  assignable_scopes = [for id in local.subscription_ids : "/subscriptions/${id}"]

  permissions {
    actions     = each.value.actions
    not_actions = []
  }
}

resource "azurerm_role_assignment" "network" {
  for_each           = local.assignments
  scope              = each.value.scope
  role_definition_id = azurerm_role_definition.main[each.value.role].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.app.principal_id
  principal_type     = "ServicePrincipal"
}
