#pragma once

#include "mesh/observation.h"
#include "profiles/mesh.h"
#include "profiles/reference.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// An address of a load balancer.
struct Address {
  std::string text;
  bool is_hostname = false;
};

/// Where the Service of a gateway can be reached from outside: what its load balancer got (an IP
/// address before a name), else `spec.externalIPs`.
std::optional<Address> address_of_service(const base::Json& service);
/// All IP addresses among them.
std::vector<std::string> ip_addresses_of_service(const base::Json& service);
/// The first address of a Gateway of the Gateway API that is programmed.
std::optional<Address> address_of_api_gateway(const base::Json& gateway);

/// The live address of the east-west gateway of `cluster`, found, absent or unknown.
Observed<Address> east_west_address(const profiles::Mesh& mesh,
                                    const profiles::Cluster& cluster,
                                    const Objects& objects);
/// The live address of the ingress gateway of a cluster that hosts a control plane.
Observed<Address> hosting_address(const profiles::Mesh& mesh, const Objects& objects);

/// The Service of the gateway at which `cluster` is called by those whose control plane it runs:
/// its ingress gateway where it hosts one, else its east-west gateway.
Observed<base::Json> called_service(const profiles::Mesh& mesh,
                                    const profiles::Cluster& cluster,
                                    const Objects& objects);

/// Why the name of a load balancer cannot stand for `cluster`'s gateway; empty where it can, or
/// where the mesh file says that it may be resolved once (`pinHostname`). Remotes call an address:
/// a Service that leads to a name forwards no ports, and many API servers refuse to call it.
std::string why_not_by_name(const profiles::Mesh& mesh, const profiles::Cluster& cluster);

/// The values of references as far as the mesh file states them or `observation` shows them. The
/// lookup refers to both arguments.
profiles::Lookup known_values(const profiles::Mesh& mesh, const Observation& observation);

}  // namespace meshtrust::mesh
