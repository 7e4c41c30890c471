// Applies objects to every cluster of a kubeconfig the way the product does: one client a cluster,
// a bounded pool, connections given back when a cluster is done.
//
//   apiservers_client KUBECONFIG OBJECTS JOBS
//
// Prints one line of JSON: what it took until the last cluster that answered was done, and in all.

#include "base/hardening.h"
#include "base/json.h"
#include "base/processes.h"
#include "k8s/api_client.h"
#include "k8s/kubeconfig.h"
#include "run/pool.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace meshtrust {
namespace {

using base::Json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

base::Status apply_all(k8s::ApiClient& client, int objects) {
  for (int i = 0; i < objects; ++i) {
    const auto ref = k8s::config_map_ref("istio-system", "bench-" + std::to_string(i));
    const Json object{{"data", {{"number", std::to_string(i)}, {"text", std::string(1'000, 'x')}}}};
    MESHTRUST_TRY_DO(client.apply(ref, object));
  }
  return {};
}

int bench(const std::string& kubeconfig_path, int objects, std::size_t jobs) {
  const auto start = Clock::now();
  base::SystemClock clock;
  base::SystemRandom random;
  base::DiskFiles files;
  base::SystemProcesses processes;
  base::Cancellation cancellation;
  const k8s::ClientEffects effects{clock, random, files, processes, cancellation};

  k8s::KubeconfigSources sources;
  sources.flag = kubeconfig_path;
  const auto config = k8s::Kubeconfig::load(sources, files).value();
  std::vector<std::unique_ptr<k8s::ApiClient>> clients;
  for (const std::string& name : config.context_names()) {
    clients.push_back(
        std::make_unique<k8s::ApiClient>(config.settings_for(name, files).value(), effects));
  }
  const double ready = seconds_since(start);

  std::atomic<int> failed{0};
  std::atomic<double> last_done{0};
  run::for_each_index(clients.size(), jobs, [&](std::size_t index) {
    const bool ok = apply_all(*clients[index], objects).has_value();
    clients[index]->close_idle();
    if (!ok) {
      ++failed;
      return;
    }
    const double now = seconds_since(start);
    for (double seen = last_done; seen < now && !last_done.compare_exchange_weak(seen, now);) {
    }
  });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto cpu = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const long resident_mb =
      usage.ru_maxrss / 1'024;  // NOLINT(cppcoreguidelines-pro-type-union-access): by the C library
  std::cout << base::compact({{"clusters", clients.size()},
                              {"failed", failed.load()},
                              {"ready_s", ready},
                              {"living_done_s", last_done.load()},
                              {"total_s", seconds_since(start)},
                              {"cpu_s", cpu(usage.ru_utime) + cpu(usage.ru_stime)},
                              {"resident_mb", resident_mb}})
            << "\n";
  return 0;
}

}  // namespace
}  // namespace meshtrust

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  meshtrust::base::harden_process();
  return meshtrust::bench(argv[1], std::atoi(argv[2]), std::strtoul(argv[3], nullptr, 10));
}
