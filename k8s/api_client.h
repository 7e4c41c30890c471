#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/processes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "k8s/credentials.h"
#include "k8s/http.h"
#include "k8s/object_ref.h"
#include "k8s/pod_command.h"
#include "k8s/retry.h"
#include "k8s/secret_object.h"
#include "k8s/tunnel.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// The one field manager of everything meshtrust applies. Never to be changed: fields stay with the
/// name that wrote them.
inline constexpr std::string_view kFieldManager = "meshtrust";

/// A hint where a lost answer leaves open what a write did.
inline constexpr std::string_view kOutcomeUnknown =
    "whether it was written is not known: the same command again finds out";

/// The outside world of a client. All outlive it.
struct ClientEffects {
  const base::Clock& clock;
  base::Random& random;
  base::Files& files;
  base::Processes& processes;
  const base::Cancellation& cancellation;
  PluginCache* plugins = nullptr;  ///< shares the answers of exec plugins between clients
};

struct ClientOptions {
  HttpOptions http = {};
  RetryPolicy retry = {};
  /// The most one call may take with all its requests and repeats, once there is a credential.
  std::chrono::milliseconds call_timeout{120'000};
  /// The most that an exec plugin may take where a person can answer it.
  std::chrono::milliseconds plugin_timeout{600'000};
  /// Lets Secrets be written to a server whose certificate is not verified.
  bool write_secrets_unverified = false;
  /// Replaces the waits between attempts; null waits for real.
  Pause* pause = nullptr;
  /// Gets every distinct `Warning` of the server once; called from the thread of the request.
  std::function<void(std::string_view)> on_warning = {};
};

/// What a write that ended well left behind.
struct Applied {
  bool created = false;
  std::string uid = {};
  std::string resource_version = {};  ///< unchanged when there was nothing to do
};

/// What a server-side dry run came to.
enum class Rehearsed {
  kAccepted,
  kNoNamespace,   ///< its namespace does not exist, so nothing could be tried
  kNotSupported,  ///< a webhook that would be asked does not support it
};

/// Only this very object is deleted, not one that took its place.
struct Preconditions {
  std::string uid = {};               ///< required
  std::string resource_version = {};  ///< "" for any
};

/// What a delete left behind.
struct Removed {
  enum class State {
    kGone,
    kWasAbsent,
    kHeld,  ///< marked for deletion; `finalizers` have to let go first
  };
  State state = State::kGone;
  std::vector<std::string> finalizers = {};
};

/// Which objects of a kind.
struct ListOptions {
  std::string label_selector = {};
  std::string field_selector = {};  ///< "metadata.name=x"; Secrets know `type` beside
  int page_items = 500;
};

struct ObjectList {
  std::vector<base::Json> items;  ///< without kind and apiVersion of their own
  std::string resource_version;   ///< where a watch begins
};

struct FactsList {
  std::vector<SecretFacts> items;
  std::string resource_version;
};

/// A watch from one version on; see `k8s/watch.h` for one that goes on.
struct WatchRequest {
  std::string resource_version = {};  ///< of a list, or of the last event
  std::string label_selector = {};
  std::string field_selector = {};
  base::Seconds lasting{300};               ///< asked of the server
  std::chrono::milliseconds stall{90'000};  ///< how much longer before it counts as dead
  std::optional<std::chrono::milliseconds> at_most = {};  ///< before the caller has to go on
};

/// How a watch stream ended.
struct StreamEnd {
  enum class Why {
    kOver,    ///< the server ended it, as it does from time to time, or `at_most` was over
    kEnough,  ///< the receiver said so
    kBroken,  ///< the connection broke, or what came was no event; `error` says which
  };
  Why why = Why::kOver;
  base::Error error = {};
};

struct TokenWish {
  std::string namespace_name = {};
  std::string service_account = {};
  std::vector<std::string> audiences = {};
  base::Seconds lifetime{3'600};  ///< at least ten minutes; the server has the last word
};

/// A bound token of a service account. Nothing of it is stored in the cluster.
struct ServiceAccountToken {
  base::Secret token = {};
  base::Instant expires = {};  ///< as the server says, whatever was wished for
};

/// One resource of a served group and version.
struct ServedResource {
  std::string name = {};  ///< "secrets"
  std::string kind = {};
  bool namespaced = false;
  std::vector<std::string> verbs = {};
};

struct ServerVersion {
  std::string git_version = {};  ///< "v1.30.2"
  int major = 0;
  int minor = 0;  ///< the digits of "27+"
};

/// What the first words with a server tell.
struct ServerGreeting {
  ServerVersion version = {};
  bool used_http2 = false;
  /// How far the server's clock is ahead of ours (less than zero: behind), as far as whole seconds
  /// tell; nothing when it does not say.
  std::optional<base::Seconds> clock_ahead = {};
  std::chrono::microseconds round_trip{};  ///< of a small request over an open connection
};

/// Which lines of a container's log.
struct PodLog {
  std::string namespace_name = {};
  std::string pod = {};
  std::string container = {};
  bool of_last_run = false;  ///< of the one before that which runs now
  int lines = 10;            ///< the last ones
};

/// How far a request gets.
enum class Reached {
  kAnswers,    ///< to a trusted server that answers, whatever it says
  kUntrusted,  ///< to a server whose certificate is not trusted: nothing was sent to it
  kNowhere,    ///< no further than that
};

/// As whom a server takes us.
struct WhoAmI {
  std::string username = {};
  std::string uid = {};
  std::vector<std::string> groups = {};
};

struct AccessQuestion {
  std::string verb = {};  ///< "get", "patch", "create"
  /// Group, resource ("pods/portforward" for a subresource), namespace and name of it count.
  ObjectRef object = {};
};

/// One cluster's API. Calls block, may come from several threads, and never retry what cannot be
/// repeated safely. Errors: kUnavailable (unreachable, untrusted, throttled, not served),
/// kPermission (401, 403), kConflict (409), kInvalidInput (the credentials of the kubeconfig are
/// unusable), kRefused (an admission rule said no), kCancelled, kInternal (a bug here). The message
/// is the server's own; where it gave an Audit-Id, a hint holds it.
class ApiClient {
 public:
  ApiClient(ClientSettings settings, const ClientEffects& effects, ClientOptions options = {});
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  const ClientSettings& settings() const { return settings_; }
  /// The proxy that every request goes through, of the kubeconfig or the environment, without a
  /// password; "" for none.
  std::string proxy() const;
  /// Whether the server has said that it does not know who we are (401), as it will again.
  bool is_refused() const { return is_refused_; }

  /// The object, or nothing. Nothing is said only when the API server itself said that this object
  /// or its namespace does not exist; a 404 of anything else is an error. Not for Secrets.
  base::Result<std::optional<base::Json>> get(const ObjectRef& ref);
  /// Whether the object exists and its metadata (PartialObjectMetadata): of a Secret no value
  /// crosses the wire.
  base::Result<std::optional<SecretFacts>> get_metadata(const ObjectRef& ref);
  /// The whole list, newest from etcd, page by page, all pages of one version, and together at most
  /// four times as large as one answer may be. Not for Secrets.
  base::Result<ObjectList> list(const ObjectRef& ref, const ListOptions& options = {});
  /// Names, labels, annotations and managers alone; of Secrets no value crosses the wire.
  base::Result<FactsList> list_metadata(const ObjectRef& ref, const ListOptions& options = {});
  /// One stream of watch events, each line handed to `receive` until it says false. An error is the
  /// server's refusal: kPermission, or kNotFound when the version is too old (410). Not for
  /// Secrets.
  base::Result<StreamEnd> watch_once(const ObjectRef& ref,
                                     const WatchRequest& request,
                                     const std::function<bool(std::string_view line)>& receive);

  /// Server-side apply of the whole intent; never forced. `object` needs no apiVersion, kind, name
  /// or namespace. kConflict names every field and who owns it.
  base::Result<Applied> apply(const ObjectRef& ref, const base::Json& object);
  /// The same as a server-side dry run: admission, validation and conflicts, nothing stored.
  base::Result<Rehearsed> rehearse(const ObjectRef& ref, const base::Json& object);
  /// POST. Where something of that name is already there, or the answer was lost, the object is
  /// read back: ours and as asked for is success (`created` says whether this call made it), all
  /// else kConflict. Not for Secrets.
  base::Result<Applied> create(const ObjectRef& ref, const base::Json& object);
  /// Reads the object, lets `change` edit it, and writes it back unless somebody else was faster:
  /// then all of it again, up to five times. `change` says what the object shall be, so that doing
  /// it twice does no more than once; an object it leaves alone is not written. kNotFound,
  /// kConflict. Not for Secrets.
  base::Result<Applied> change(const ObjectRef& ref,
                               const std::function<base::Status(base::Json& object)>& change);
  /// Deletes exactly the object of `only`; kConflict when another has its name by now.
  base::Result<Removed> remove(const ObjectRef& ref, const Preconditions& only);

  /// A Secret with its values, over a connection of its own.
  base::Result<std::optional<SecretObject>> get_secret(const ObjectRef& ref);
  /// Server-side apply of a Secret, likewise. Before the body is sent, the UID of the namespace
  /// kube-system is asked for over the very connection that is to carry it, again for every
  /// connection: kRefused, with nothing sent, when another cluster answers than that of `content`;
  /// also when the server is not verified, unless the options allow it.
  base::Result<Applied> apply_secret(const ObjectRef& ref, const SecretContent& content);
  /// POST of a Secret, likewise: whatever is there already is never written over. Where the answer
  /// was lost, or something is there, it is read back: byte for byte what was asked for is success,
  /// all else kConflict.
  base::Result<Applied> create_secret(const ObjectRef& ref, const SecretContent& content);

  /// SelfSubjectAccessReview: whether the server would allow it.
  base::Result<bool> can_i(const AccessQuestion& question);
  /// SelfSubjectReview: as whom the server takes us. Nothing when it is too old to say (before
  /// 1.26, or before 1.28 without its alpha or beta).
  base::Result<std::optional<WhoAmI>> who_am_i();
  base::Result<ServerVersion> server_version();
  /// Version, clock and distance of the server, from two small requests.
  base::Result<ServerGreeting> greet();
  /// How far a small request gets; kCancelled is the only error.
  base::Result<Reached> reach();
  /// The certificates that the server shows, in PEM, its own first; unjudged, and asked for
  /// without a credential.
  base::Result<std::vector<std::string>> serving_chain();
  /// The client certificate in use, in PEM, also one that a plugin handed out; "" when there is
  /// none.
  std::string client_certificate() { return http_.client_certificate(); }
  /// TokenRequest. kNotFound when there is no such account.
  base::Result<ServiceAccountToken> request_token(const TokenWish& wish);
  /// Every group and version that the server has ("v1", "apps/v1"), of each group the preferred
  /// version first.
  base::Result<std::vector<std::string>> api_versions();
  /// What the server has at "v1" or "apps/v1"; nothing when it does not serve that, which is
  /// believed only where `api_versions` says so too.
  base::Result<std::optional<std::vector<ServedResource>>> discover(std::string_view api_version);
  /// Whether it serves the resource of `ref`: false means that its CRD is not installed.
  base::Result<bool> serves(const ObjectRef& ref);

  /// GET of `path` ("/metrics") from a plain HTTP server inside a pod, by pods/proxy. Only 200 is a
  /// success; kNotFound when there is no such pod.
  base::Result<std::string> get_from_pod(const PodPort& pod,
                                         std::string_view path,
                                         std::size_t limit_bytes = 16U << 20U);
  /// The last lines of what a container wrote, by pods/log; of its last run where that has ended
  /// and another began, when `of_last_run`. kNotFound when there is no such pod.
  base::Result<std::string> read_log(const PodLog& log);
  /// A stream to a TCP port inside a pod, by pods/portforward over a WebSocket: it is opened, and
  /// every wait on it ends, within `at_most` from now. Does not outlive the client. kNotFound when
  /// there is no such pod. That nothing listens there shows only in reading.
  base::Result<std::unique_ptr<ByteStream>> open_tunnel(const PodPort& pod,
                                                        std::chrono::milliseconds at_most);
  /// Runs a command in a container, by pods/exec over a WebSocket, and waits for its end, `at_most`
  /// from now. Any exit code is a success. It is never started twice. kNotFound when there is no
  /// such pod, kUnavailable when the pod cannot run it, says more than `limit_bytes`, or takes too
  /// long; then it may still go on.
  base::Result<CommandOutcome> run_in_pod(const PodCommand& command,
                                          std::chrono::milliseconds at_most,
                                          std::size_t limit_bytes = 1U << 20U);

  const ClientEffects& effects() const { return effects_; }
  /// How waits between attempts are made.
  Pause& pause();
  /// Closes idle connections.
  void close_idle() { http_.close_idle(); }

 private:
  enum class Repeatable { kNo, kYes };

  /// A connection to something inside a pod.
  using Upgraded = std::unique_ptr<RawConnection, CloseRawConnection>;
  struct PodUpgrade {
    std::string target;
    std::string_view subprotocol;
    Repeatable repeatable;
    std::string action;
    std::string takes;  ///< the hint for who is not permitted
    std::chrono::milliseconds at_most;
  };
  base::Result<Upgraded> upgrade(const PodUpgrade& wanted);

  /// When a call is over, however many requests it makes. What a plugin takes is not counted.
  struct Call {
    base::Clock::Steady until;
  };
  Call begin_call() const { return {effects_.clock.steady() + options_.call_timeout}; }

  /// Sends, and sends again where that is safe and may help. Any status is an answer.
  base::Result<Reply, SendFailure> send(Request request, Repeatable repeatable, Call& call);
  /// The same, with the failure in words.
  base::Result<Reply> perform(Request request,
                              Repeatable repeatable,
                              std::string_view action,
                              Call& call);
  /// As a call of one request.
  base::Result<Reply> perform(Request request, Repeatable repeatable, std::string_view action);
  base::Error out_of_time() const;
  base::Error refusal(const Reply& reply, std::string_view action) const;
  base::Error refused_apply(const ObjectRef& ref,
                            const Reply& reply,
                            std::string_view action) const;
  base::Result<std::optional<Reply>> fetch(const ObjectRef& ref, Request request, Call& call);
  base::Result<std::optional<base::Json>> get(const ObjectRef& ref, Call& call);
  base::Result<std::optional<SecretObject>> get_secret_as(const ObjectRef& ref,
                                                          std::string_view accept,
                                                          Call& call);
  /// Nothing when the server does not know that kind of review.
  base::Result<std::optional<base::Json>> post_review(std::string_view path,
                                                      const base::Json& review,
                                                      std::string_view action,
                                                      Call& call);
  base::Result<Reply> get_version(Call& call);
  enum class DryRun { kNo, kYes };
  base::Result<Reply> patch(const ObjectRef& ref, Request request, DryRun dry_run, Call& call);
  /// One kind of creating: what is sent, and how its answer, or what is there, is read.
  struct Creation {
    std::string action;
    Request request;
    std::function<base::Result<Applied>(Reply)> read;
    std::function<base::Result<std::optional<Applied>>(Call&)> find;
  };
  struct Unsettled;
  base::Result<Applied> create(const Creation& creation, Call& call);
  base::Result<Applied, Unsettled> create_once(const Creation& creation, Call& call);
  /// The question which cluster is at the other end, to be answered by kube-system's UID.
  Look look_at_cluster(const std::string& uid) const;
  base::Status expect_verified(std::string_view action) const;
  base::Result<std::string> own_by_apply(const ObjectRef& ref,
                                         const SecretFacts& seen,
                                         const Look* look,
                                         Call& call);
  base::Result<std::optional<Applied>> find_created(const ObjectRef& ref,
                                                    const base::Json& whole,
                                                    Call& call);
  base::Result<std::optional<Applied>> change_once(
      const ObjectRef& ref,
      const std::function<base::Status(base::Json& object)>& change,
      Call& call);
  base::Result<base::Result<Removed>> remove_once(const ObjectRef& ref,
                                                  const Preconditions& only,
                                                  Call& call);
  std::optional<Removed> find_held(const ObjectRef& ref, const Preconditions& only, Call& call);
  /// What a list may still take.
  std::size_t largest_list() const { return 4 * options_.http.answer_limit_bytes; }
  struct ListBudget {
    Call call;
    std::size_t bytes = 0;
  };
  base::Result<std::optional<base::Json>> list_page(const ObjectRef& ref,
                                                    const std::string& query,
                                                    Content content,
                                                    ListBudget& left);
  base::Result<base::Json> list_all(const ObjectRef& ref,
                                    const ListOptions& options,
                                    Content content);
  void pass_on_warnings(const Reply& reply);

  const ClientSettings settings_;
  const ClientEffects effects_;
  const ClientOptions options_;
  HttpClient http_;
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<Pause> own_pause_;
  mutable std::atomic<bool> is_refused_{false};
  std::mutex warnings_mutex_;
  std::vector<std::string> warnings_seen_;
};

}  // namespace meshtrust::k8s
