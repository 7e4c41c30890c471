#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/processes.h"
#include "base/random.h"
#include "k8s/api_client.h"
#include "k8s/kubeconfig.h"
#include "tests/support/fake_api_server.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::k8s {

/// A clock that a test moves by hand.
class HandClock final : public base::Clock {
 public:
  base::Instant now() const override { return now_; }
  Steady steady() const override { return steady_; }
  void advance(std::chrono::milliseconds by) { steady_ += by; }
  void set(std::string_view time) { now_ = *base::parse_rfc3339(time); }

 private:
  base::Instant now_ = *base::parse_rfc3339("2026-11-21T00:00:00Z");
  Steady steady_{};
};

/// Zeroes: back-off then waits half of what it could.
class ZeroRandom final : public base::Random {
 public:
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), 0); }
};

/// Notes how long it was asked to wait and moves the clock instead.
class NotedPause final : public Pause {
 public:
  explicit NotedPause(HandClock& clock) : clock_(clock) {}
  base::Status wait(std::chrono::milliseconds duration) override {
    waits.push_back(duration.count());
    clock_.advance(duration);
    return {};
  }
  std::vector<long> waits;

 private:
  HandClock& clock_;
};

/// Answers with what the test prepared and notes what was run.
class ScriptedProcesses final : public base::Processes {
 public:
  base::Result<base::Finished> run(const base::Command& command) override {
    commands.push_back(command);
    if (error) return base::fail(*error);
    const std::string& output = outputs[std::min(commands.size(), outputs.size()) - 1];
    return base::Finished{.exit_code = exit_code, .standard_output = base::Secret(output)};
  }
  std::vector<std::string> outputs = {""};
  int exit_code = 0;
  std::optional<base::Error> error;
  std::vector<base::Command> commands;
};

/// A fake API server with one cluster, `east`, and everything a client of it needs.
class ClientTest : public ::testing::Test {
 protected:
  /// Settings of context `east` in the server's kubeconfig, or in `kubeconfig`.
  ClientSettings settings(const std::string& kubeconfig = {}) {
    const auto config = Kubeconfig::parse("/home/me/kubeconfig",
                                          kubeconfig.empty() ? server().kubeconfig() : kubeconfig);
    if (!config) {
      ADD_FAILURE() << config.error().message;
      return {};
    }
    auto out = config->settings_for("east", files);
    if (out) return *std::move(out);
    ADD_FAILURE() << out.error().message;
    return {};
  }

  std::unique_ptr<ApiClient> client(ClientSettings with) {
    return std::make_unique<ApiClient>(
        std::move(with),
        ClientEffects{.clock = clock,
                      .random = random,
                      .files = files,
                      .processes = processes,
                      .cancellation = cancellation},
        ClientOptions{.http = http, .pause = &pause, .on_warning = [this](std::string_view text) {
                        warnings.emplace_back(text);
                      }});
  }
  std::unique_ptr<ApiClient> client() { return client(settings()); }

  test::FakeApiServer& server() {
    if (!server_) server_ = std::make_unique<test::FakeApiServer>(options);
    return *server_;
  }
  /// By which clusters are told apart.
  std::string uid_of_cluster(std::string_view name = "east") {
    return server().object(name, "/api/v1/namespaces/kube-system")->at("metadata").at("uid");
  }
  std::string authority() { return "https://127.0.0.1:" + std::to_string(server().port()); }

  /// `text` with the server's address, which differs from run to run, as "SERVER".
  std::string without_address(std::string text) {
    const std::string address = server().url("east");
    for (std::size_t at = 0; (at = text.find(address)) != std::string::npos;) {
      text.replace(at, address.size(), "SERVER");
    }
    return text;
  }

  test::FakeApiOptions options;
  HandClock clock;
  ZeroRandom random;
  base::DiskFiles files;
  ScriptedProcesses processes;
  base::Cancellation cancellation;
  NotedPause pause{clock};
  HttpOptions http;
  std::vector<std::string> warnings;

 private:
  std::unique_ptr<test::FakeApiServer> server_;
};

inline const std::string kCacerts = "/api/v1/namespaces/istio-system/secrets/cacerts";
inline const std::string kTwin = "/api/v1/namespaces/istio-system/configmaps/meshtrust-trust";

}  // namespace meshtrust::k8s
