// What the product can do inside pods, one thing a run, for the scenarios in Python:
//
//   pod_probe KUBECONFIG CONTEXT NAMESPACE POD PORT get PATH
//   pod_probe KUBECONFIG CONTEXT NAMESPACE POD PORT tls NAME [ROOTS]
//   pod_probe KUBECONFIG CONTEXT NAMESPACE POD PORT grpc NAME ROOTS METHOD TOKEN < MESSAGE
//
// ROOTS and TOKEN are files. The answer, as it is or as one line of JSON, goes to standard output;
// an error and its hints to standard error, with exit status 1.

#include "base/encoding.h"
#include "base/hardening.h"
#include "base/json.h"
#include "k8s/api_client.h"
#include "k8s/grpc.h"
#include "k8s/kubeconfig.h"
#include "k8s/tls_stream.h"

#include <nlohmann/json.hpp>

#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace meshtrust;
using base::Result;

constexpr std::chrono::seconds kPatience{20};
constexpr std::size_t kLargestFile = 1U << 20U;

struct World {
  base::SystemClock clock;
  base::SystemRandom random;
  base::DiskFiles files;
  base::SystemProcesses processes;
  base::Cancellation cancellation;
};

std::string verdict_name(k8s::TlsVerdict verdict) {
  switch (verdict) {
    case k8s::TlsVerdict::kNotAsked:
      return "not asked";
    case k8s::TlsVerdict::kTrusted:
      return "trusted";
    case k8s::TlsVerdict::kUntrusted:
      return "untrusted";
  }
  return "";
}

base::Json shown(const k8s::TlsPeer& peer) {
  base::Json chain = base::Json::array();
  for (const base::Bytes& certificate : peer.chain) {
    chain.push_back(base::to_base64(certificate));
  }
  return {{"chain", chain},
          {"version", peer.version},
          {"protocol", peer.protocol},
          {"asked_for_client_certificate", peer.asked_for_client_certificate},
          {"verdict", verdict_name(peer.verdict)},
          {"objection", peer.objection}};
}

class Probe {
 public:
  Probe(World& world, k8s::ApiClient& client, k8s::PodPort pod)
      : world_(world), client_(client), pod_(std::move(pod)) {}

  Result<std::string> run(const std::vector<std::string>& words) {
    if (words.size() == 2 && words[0] == "get") return client_.get_from_pod(pod_, words[1]);
    if ((words.size() == 2 || words.size() == 3) && words[0] == "tls") {
      return tls(words[1], words.size() == 3 ? words[2] : "");
    }
    if (words.size() == 5 && words[0] == "grpc") return grpc(words);
    return base::fail(base::Code::kUsage, "no such probe");
  }

 private:
  Result<k8s::TlsTarget> target(const std::string& name, const std::string& roots) {
    k8s::TlsTarget target{.server_name = name, .protocols = {"h2"}};
    if (!roots.empty()) {
      MESHTRUST_TRY(target.roots, world_.files.read(roots, kLargestFile));
    }
    return target;
  }

  Result<std::string> tls(const std::string& name, const std::string& roots) {
    MESHTRUST_TRY(const k8s::TlsTarget wanted, target(name, roots));
    MESHTRUST_TRY(auto tunnel, client_.open_tunnel(pod_, kPatience));
    MESHTRUST_TRY(const k8s::TlsPeer peer, probe_tls(std::move(tunnel), wanted, world_.clock));
    return base::compact(shown(peer)) + "\n";
  }

  Result<std::string> grpc(const std::vector<std::string>& words) {
    const std::string message{std::istreambuf_iterator<char>(std::cin), {}};
    MESHTRUST_TRY(const base::Secret token, world_.files.read_secret(words[4], kLargestFile));
    MESHTRUST_TRY(const k8s::TlsTarget wanted, target(words[1], words[2]));
    MESHTRUST_TRY(auto tunnel, client_.open_tunnel(pod_, kPatience));
    MESHTRUST_TRY(const auto stream, k8s::TlsStream::open(std::move(tunnel), wanted, world_.clock));
    MESHTRUST_TRY(const k8s::GrpcAnswer answer,
                  call_grpc(*stream, {.authority = words[1],
                                      .method = words[3],
                                      .message = base::as_bytes(message),
                                      .bearer_token = &token}));
    MESHTRUST_TRY_DO(stream->close());
    const base::Json shown{{"status", answer.status},
                           {"words", answer.words},
                           {"message", base::to_base64(answer.message)}};
    return base::compact(shown) + "\n";
  }

  World& world_;
  k8s::ApiClient& client_;
  k8s::PodPort pod_;
};

Result<std::string> run(const std::vector<std::string>& words) {
  if (words.size() < 7) return base::fail(base::Code::kUsage, "too few words");
  World world;
  MESHTRUST_TRY(const auto kubeconfig, k8s::Kubeconfig::load({.flag = words[0]}, world.files));
  MESHTRUST_TRY(auto settings, kubeconfig.settings_for(words[1], world.files));
  k8s::ApiClient client(std::move(settings), {.clock = world.clock,
                                              .random = world.random,
                                              .files = world.files,
                                              .processes = world.processes,
                                              .cancellation = world.cancellation});
  k8s::PodPort pod{.namespace_name = words[2],
                   .pod = words[3],
                   .port = static_cast<std::uint16_t>(std::stoul(words[4]))};
  return Probe(world, client, std::move(pod)).run({words.begin() + 5, words.end()});
}

}  // namespace

int main(int count, char** words) {
  meshtrust::base::harden_process();
  const auto answer = run({words + 1, words + count});
  if (answer) {
    std::cout << *answer;
    return 0;
  }
  std::cerr << "error: " << answer.error().message << "\n";
  for (const std::string& hint : answer.error().hints) {
    std::cerr << "hint: " << hint << "\n";
  }
  return 1;
}
