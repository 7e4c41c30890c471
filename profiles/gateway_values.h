#pragma once

#include "base/json.h"
#include "profiles/mesh.h"

#include <nlohmann/json.hpp>

namespace meshtrust::profiles {

/// `spec.istio.gateway`: how the Deployments of gateways are sized and placed. The keys are those
/// of Istio's gateway chart.
struct GatewayValues {
  bool autoscaling = true;
  int replicas = 1;  ///< without autoscaling
  int min_replicas = 1;
  int max_replicas = 5;
  int target_cpu_percent = 80;
  base::Json resources;      ///< of the container
  base::Json node_selector;  ///< these four are null where nothing was written
  base::Json tolerations;
  base::Json affinity;
  base::Json pod_annotations;

  /// How many replicas there are at least.
  int least() const { return autoscaling ? min_replicas : replicas; }
};

/// Reads them; what is not known or of the wrong type is an error at its place.
base::Errors refuse_gateway_values(const Values& values);
/// Of values without errors.
GatewayValues gateway_values(const Mesh& mesh);

}  // namespace meshtrust::profiles
