#include "tests/support/fake_api_server.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace meshtrust::test {
namespace {

using base::Json;

std::string verb_of(const SeenRequest& request, const FakePath& path) {
  if (request.method == "GET" && query_value(request.query, "watch") == "1") return "watch";
  if (request.method == "GET") return path.name.empty() ? "list" : "get";
  if (request.method == "PUT") return "update";
  return request.method == "POST" ? "create" : lower_case(request.method);
}

/// What the server leaves of an object when only metadata is asked for.
/// As the real server does when it is asked for metadata alone.
FakeReply metadata_of_list(FakeReply reply) {
  auto list = base::parse_json(reply.body, "list");
  if (reply.status >= 300 || !list || !list->contains("items")) return reply;
  for (Json& item : (*list)["items"]) {
    item = Json{{"metadata", item["metadata"]}};
  }
  (*list)["kind"] = "PartialObjectMetadataList";
  (*list)["apiVersion"] = "meta.k8s.io/v1";
  reply.body = base::compact(*list);
  return reply;
}

FakeReply metadata_only(FakeReply reply) {
  if (reply.status >= 300) return reply;
  auto object = base::parse_json(reply.body, "object");
  if (!object || !object->contains("metadata") || object->contains("items")) return reply;
  reply.body = base::compact({{"kind", "PartialObjectMetadata"},
                              {"apiVersion", "meta.k8s.io/v1"},
                              {"metadata", (*object)["metadata"]}});
  return reply;
}

bool is_established(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state == TCP_ESTABLISHED;
}

/// The answer as one chunk, without the empty chunk that would end it.
std::string in_one_chunk(const FakeReply& reply) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string size;
  for (std::size_t left = reply.body.size(); left > 0; left /= 16) {
    size.insert(size.begin(), kDigits[left % 16]);
  }
  std::string head = on_the_wire(reply);
  head.resize(head.find("Content-Length:"));
  return head + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\n" + reply.body + "\r\n";
}

/// A stored deflate block that promises the whole body and is followed by something else.
FakeReply broken_gzip(FakeReply reply) {
  using namespace std::string_literals;
  const auto size = static_cast<std::uint16_t>(std::min<std::size_t>(reply.body.size(), 60'000));
  const auto byte = [](unsigned value) { return static_cast<char>(value & 0xFFU); };
  std::string packed = "\x1f\x8b\x08\0\0\0\0\0\0\xff\0"s;
  packed += {byte(size), byte(size >> 8U), byte(~size), byte(~size >> 8U)};
  packed += reply.body.substr(0, size) + "\xff\xff\xff\xff";  // no such block
  reply.body = packed;
  reply.headers["Content-Encoding"] = "gzip";
  return reply;
}

FakeReply no_page() {
  return {.status = 404, .body = "404 page not found\n", .content_type = "text/plain"};
}

}  // namespace

/// One TCP connection and the thread that serves it.
struct FakeApiServer::Peer {
  int fd = -1;
  int number = 0;
  std::string cluster;
  bool finished = false;
  std::thread thread;
};

FakeApiServer::FakeApiServer(FakeApiOptions options) : options_(std::move(options)) {
  change_identity(authority_.server(*base::parse_rfc3339(options_.not_before),
                                    *base::parse_rfc3339(options_.not_after)));
  for (const std::string& cluster : options_.clusters) {
    clusters_.emplace(cluster, FakeObjects(cluster));
  }
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own shape
  MESHTRUST_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  MESHTRUST_CHECK(listen(listener_, 1024) == 0);
  MESHTRUST_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_for_ever(); });
}

FakeApiServer::~FakeApiServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& peer : peers_) {
      if (!peer->finished) shutdown(peer->fd, SHUT_RDWR);
    }
  }
  changed_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (const auto& peer : peers_) {
    peer->thread.join();
  }
  close(listener_);
}

std::string FakeApiServer::url(std::string_view cluster) const {
  return "https://127.0.0.1:" + std::to_string(port_) + "/" + std::string(cluster);
}

std::string FakeApiServer::kubeconfig(std::vector<std::string> clusters) const {
  if (clusters.empty()) clusters = options_.clusters;
  std::string cluster_list;
  std::string context_list;
  std::string user_list;
  const std::string ca = base::to_base64(base::as_bytes(authority_.certificate()));
  for (const std::string& name : clusters) {
    cluster_list += "- name: \"" + name + "\"\n  cluster:\n    server: " + url(name) +
                    "\n    certificate-authority-data: " + ca + "\n";
    context_list += "- name: \"" + name + "\"\n  context: {cluster: \"" + name + "\", user: \"" +
                    name + "\"}\n";
    user_list += "- name: \"" + name + "\"\n  user: {token: \"" + options_.token + "\"}\n";
  }
  return "apiVersion: v1\nkind: Config\ncurrent-context: \"" + clusters.front() +
         "\"\nclusters:\n" + cluster_list + "contexts:\n" + context_list + "users:\n" + user_list;
}

void FakeApiServer::set_latency(std::chrono::milliseconds latency) {
  const std::lock_guard lock(mutex_);
  latency_ = latency;
}

void FakeApiServer::add_fault(Fault fault) {
  const std::lock_guard lock(mutex_);
  released_ = false;
  faults_.push_back({.fault = std::move(fault)});
}

void FakeApiServer::on_upgrade(Upgrade upgrade) {
  const std::lock_guard lock(mutex_);
  upgrade_ = std::move(upgrade);
}

void FakeApiServer::on_arrival(Arrival arrival) {
  const std::lock_guard lock(mutex_);
  arrival_ = std::move(arrival);
}

void FakeApiServer::on_balance(Balance balance) {
  const std::lock_guard lock(mutex_);
  balance_ = std::move(balance);
}

void FakeApiServer::balance(SeenRequest& request) const {
  const std::lock_guard lock(mutex_);
  if (balance_) request.cluster = balance_(request);
}

void FakeApiServer::clear_faults() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
}

void FakeApiServer::release() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
}

void FakeApiServer::deny(std::string_view cluster,
                         std::string_view verb,
                         std::string_view resource) {
  const std::lock_guard lock(mutex_);
  denied_.insert(std::string(cluster) + " " + std::string(verb) + " " + std::string(resource));
}

void FakeApiServer::allow_all() {
  const std::lock_guard lock(mutex_);
  denied_.clear();
}

void FakeApiServer::put(std::string_view cluster,
                        std::string_view path,
                        Json object,
                        std::string_view manager) {
  const std::lock_guard lock(mutex_);
  clusters_.find(cluster)->second.put(path, std::move(object), manager);
}

void FakeApiServer::remove(std::string_view cluster, std::string_view path) {
  const std::lock_guard lock(mutex_);
  clusters_.find(cluster)->second.remove(path);
}

std::optional<Json> FakeApiServer::object(std::string_view cluster, std::string_view path) const {
  const std::lock_guard lock(mutex_);
  return clusters_.find(cluster)->second.get(path);
}

std::vector<SeenRequest> FakeApiServer::requests(std::string_view cluster) const {
  const std::lock_guard lock(mutex_);
  std::vector<SeenRequest> out;
  std::copy_if(seen_.begin(), seen_.end(), std::back_inserter(out),
               [&](const auto& request) { return cluster.empty() || request.cluster == cluster; });
  return out;
}

std::vector<SeenRequest> FakeApiServer::writes(std::string_view cluster) const {
  std::vector<SeenRequest> out = requests(cluster);
  std::erase_if(out, [](const auto& request) { return !request.is_write(); });
  return out;
}

void FakeApiServer::forget_requests() {
  const std::lock_guard lock(mutex_);
  seen_.clear();
}

void FakeApiServer::change_identity(const TestPair& identity) {
  auto changed = std::make_shared<const TlsContext>(TlsServerConfig{
      .identity = identity,
      .client_authority = options_.require_client_certificate ? authority_.certificate() : "",
      .require_client = options_.require_client_certificate});
  const std::lock_guard lock(mutex_);
  tls_ = std::move(changed);
  for (const auto& peer : peers_) {
    if (!peer->finished) shutdown(peer->fd, SHUT_RDWR);
  }
}

ConnectionCount FakeApiServer::connections(std::string_view cluster) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(cluster);
  ConnectionCount count = found == counts_.end() ? ConnectionCount{} : found->second;
  count.open = open_connections(cluster);
  return count;
}

void FakeApiServer::wait_for_stalled(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stalled_ >= count; });
}

void FakeApiServer::accept_for_ever() {
  // A client that is gone must not end the test process; threads started here inherit the mask.
  sigset_t pipe{};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      if (fd >= 0) close(fd);
      return;
    }
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    reap_finished();
    auto peer = std::make_unique<Peer>();
    peer->fd = fd;
    peer->number = ++accepted_;
    peer->thread = std::thread([this, raw = peer.get()] { serve(*raw); });
    peers_.push_back(std::move(peer));
  }
}

/// Under the lock: a peer sets `finished` as the last thing it does.
void FakeApiServer::reap_finished() {
  for (auto at = peers_.begin(); at != peers_.end();) {
    if (!(*at)->finished) {
      ++at;
      continue;
    }
    (*at)->thread.join();
    at = peers_.erase(at);
  }
}

void FakeApiServer::serve(Peer& peer) {
  // The descriptor is a copy, so that a shutdown by the destructor never hits a stranger's.
  const auto tls = [this] {
    const std::lock_guard lock(mutex_);
    return tls_;
  }();
  if (const auto stream = tls->accept(dup(peer.fd))) {
    while (serve_one(*stream, peer)) {
    }
  }
  const std::lock_guard lock(mutex_);
  close(peer.fd);
  peer.finished = true;
}

bool FakeApiServer::serve_one(TlsStream& stream, Peer& peer) {
  auto request = read_request(stream);
  if (!request) return false;
  request->connection = peer.number;
  balance(*request);
  const Arrival arrival = [this] {
    const std::lock_guard lock(mutex_);
    return arrival_;
  }();
  if (arrival && !arrival(*request)) {
    stream.abort();
    return false;
  }
  if (request->headers.contains("upgrade") && serve_upgrade(stream, *request)) return false;
  const auto outcome = [&] {
    count_connection(peer, request->cluster);
    return answer(*request);
  }();
  const bool plain = !outcome.faulty || outcome.kind == Fault::Kind::kAnswer ||
                     outcome.kind == Fault::Kind::kReplyAfter ||
                     outcome.kind == Fault::Kind::kStall || outcome.kind == Fault::Kind::kNone;
  if (plain) return stream.write(on_the_wire(outcome.reply));
  return send_faulty(stream, outcome.reply, outcome.kind);
}

/// Whether the connection can go on.
bool FakeApiServer::send_faulty(TlsStream& stream, const FakeReply& reply, Fault::Kind kind) {
  const std::string wire = on_the_wire(reply);
  const std::string half = wire.substr(0, wire.size() - reply.body.size() / 2 - 1);
  switch (kind) {
    case Fault::Kind::kCloseAfter:
      (void)stream.write(wire);
      break;
    case Fault::Kind::kTruncate:
      (void)stream.write(half);
      break;
    case Fault::Kind::kShortLength: {
      FakeReply shorter = reply;
      shorter.body.resize(reply.body.size() / 2);
      (void)stream.write(on_the_wire(shorter) + reply.body.substr(reply.body.size() / 2));
      return true;  // what is too much is read as the next answer
    }
    case Fault::Kind::kUnendedChunks:
      (void)stream.write(in_one_chunk(reply));
      break;
    case Fault::Kind::kBrokenGzip:
      (void)stream.write(on_the_wire(broken_gzip(reply)));
      return true;
    case Fault::Kind::kStallInBody:
      (void)stream.write(half);
      wait_until_released();
      (void)stream.write(wire.substr(half.size()));
      return true;
    default:
      break;
  }
  stream.abort();
  return false;
}

void FakeApiServer::wait_until_released() {
  std::unique_lock lock(mutex_);
  ++stalled_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stopping_ || released_; });
  --stalled_;
}

bool FakeApiServer::serve_upgrade(TlsStream& stream, const SeenRequest& request) {
  const Upgrade upgrade = [&] {
    const std::lock_guard lock(mutex_);
    if (upgrade_) seen_.push_back(request);
    return upgrade_;
  }();
  if (!upgrade) return false;
  upgrade(request, stream);
  return true;
}

void FakeApiServer::count_connection(Peer& peer, const std::string& cluster) {
  const std::lock_guard lock(mutex_);
  if (!peer.cluster.empty()) return;
  peer.cluster = cluster;
  ConnectionCount& count = counts_[cluster];
  ++count.accepted;
  count.most_open = std::max(count.most_open, open_connections(cluster));
}

/// Under the lock. The kernel knows that a client has closed before the thread here notices.
int FakeApiServer::open_connections(std::string_view cluster) const {
  return static_cast<int>(std::count_if(peers_.begin(), peers_.end(), [&](const auto& peer) {
    return !peer->finished && peer->cluster == cluster && is_established(peer->fd);
  }));
}

std::optional<Fault> FakeApiServer::next_fault(const SeenRequest& request) {
  for (ActiveFault& active : faults_) {
    const Fault& fault = active.fault;
    if (!fault.cluster.empty() && fault.cluster != request.cluster) continue;
    if (!fault.method.empty() && fault.method != request.method) continue;
    if (request.path.find(fault.path_contains) == std::string::npos) continue;
    ++active.seen;
    const bool over = fault.times >= 0 && active.seen >= fault.from + fault.times;
    if (active.seen >= fault.from && !over) return fault;
  }
  return std::nullopt;
}

FakeApiServer::Outcome FakeApiServer::answer(SeenRequest& request) {
  std::unique_lock lock(mutex_);
  const std::size_t place = seen_.size();
  seen_.push_back(request);
  const auto fault = next_fault(request);
  if (latency_.count() > 0) {
    changed_.wait_for(lock, latency_, [&] { return stopping_; });
  }
  Outcome outcome;
  if (fault) {
    outcome.faulty = true;
    outcome.kind = fault->kind;
    if (fault->kind == Fault::Kind::kStall) {
      lock.unlock();
      wait_until_released();
      lock.lock();
    }
  }
  using Kind = Fault::Kind;
  const bool has_effect =
      !fault || (fault->kind != Kind::kAnswer && fault->kind != Kind::kCutBefore);
  if (has_effect) outcome.reply = act(request);
  const bool replaced = fault && (fault->kind == Kind::kAnswer || fault->kind == Kind::kReplyAfter);
  if (replaced) outcome.reply = fault->reply;
  const bool answered = !fault || replaced || fault->kind == Kind::kStall ||
                        fault->kind == Kind::kNone || fault->kind == Kind::kCloseAfter;
  if (answered && place < seen_.size()) seen_[place].status = outcome.reply.status;
  return outcome;
}

FakeReply FakeApiServer::act(const SeenRequest& request) {
  if (!clusters_.contains(request.cluster)) return no_page();
  const auto credential = request.headers.find("authorization");
  const bool known =
      options_.require_client_certificate ||
      (credential != request.headers.end() && credential->second == "Bearer " + options_.token);
  if (!known) return failure_reply(401, "Unauthorized", "Unauthorized");
  if (request.path == "/version") {
    const auto parts = base::split(options_.server_version.substr(1), '.');
    return json_reply(
        200, {{"major", parts[0]}, {"minor", parts[1]}, {"gitVersion", options_.server_version}});
  }
  if (request.path == kReviews || request.path == kWhoAmI) return review(request);
  if (request.method == "GET") {
    if (auto served = fake_discovery(request.path)) return *std::move(served);
  }
  return act_on_object(request);
}

FakeReply FakeApiServer::act_on_object(const SeenRequest& request) {
  const auto path = parse_fake_path(request.path);
  if (!path) return no_page();
  const std::string verb = verb_of(request, *path);
  if (is_denied(request.cluster, verb, path->resource)) {
    const std::string where = path->namespace_name.empty()
                                  ? "at the cluster scope"
                                  : "in the namespace \"" + path->namespace_name + "\"";
    return failure_reply(403, "Forbidden",
                         path->resource + (path->name.empty() ? "" : " \"" + path->name + "\"") +
                             " is forbidden: User \"fake\" cannot " + verb + " resource \"" +
                             path->resource + "\" in API group \"" + path->group() + "\" " + where,
                         {{"name", path->name}, {"kind", path->resource}});
  }
  FakeObjects& objects = clusters_.find(request.cluster)->second;
  const auto asks_for = [&request](std::string_view form) {
    const auto accept = request.headers.find("accept");
    return accept != request.headers.end() && accept->second.find(form) != std::string::npos;
  };
  const bool partial = asks_for("as=PartialObjectMetadata;");
  const bool partial_list = asks_for("as=PartialObjectMetadataList;");
  const auto finish = [&](FakeReply reply) {
    if (partial_list) return metadata_of_list(std::move(reply));
    return partial ? metadata_only(std::move(reply)) : reply;
  };
  if (request.method == "GET") {
    return finish(objects.read(*path, query_value(request.query, "labelSelector")));
  }
  if (request.method == "DELETE") {
    const auto options = base::parse_json(request.body, "options");
    return finish(objects.destroy(*path, options ? *options : Json::object()));
  }
  auto body = base::parse_json(request.body, "body");
  const std::string type =
      request.headers.contains("content-type") ? request.headers.at("content-type") : "";
  if (request.method == "PATCH" && type == "application/json-patch+json" && body) {
    return finish(objects.change_owners(*path, *body));
  }
  if (!body || !body->is_object()) return failure_reply(400, "BadRequest", "body is not an object");
  if (request.method == "PATCH" && type == "application/apply-patch+yaml") {
    return finish(objects.apply(*path, *std::move(body), query_value(request.query, "fieldManager"),
                                query_value(request.query, "force") == "true",
                                query_value(request.query, "dryRun") == "All"));
  }
  if (request.method == "PUT" && type == "application/json") {
    return finish(objects.replace(*path, *body, query_value(request.query, "fieldManager")));
  }
  if (request.method == "POST" && type == "application/json") {
    return finish(objects.create(*path, *body));
  }
  return failure_reply(415, "UnsupportedMediaType",
                       "the body of the request was in an unknown format");
}

FakeReply FakeApiServer::review(const SeenRequest& request) const {
  auto body = base::parse_json(request.body, "review");
  if (!body || !body->is_object()) return failure_reply(400, "BadRequest", "body is not an object");
  if (request.path == kWhoAmI) {
    (*body)["status"] = {{"userInfo", {{"username", "fake"}}}};
    return json_reply(201, *body);
  }
  const Json& wanted = base::at_path(*body, {"spec", "resourceAttributes"});
  const bool denied = is_denied(request.cluster, base::string_at(wanted, "verb"),
                                base::string_at(wanted, "resource"));
  (*body)["status"] = {{"allowed", !denied}};
  return json_reply(201, *body);
}

bool FakeApiServer::is_denied(const std::string& cluster,
                              const std::string& verb,
                              const std::string& resource) const {
  return denied_.contains(cluster + " " + verb + " " + resource);
}

}  // namespace meshtrust::test
