#include "k8s/watch.h"

#include "base/check.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Json;
using base::Result;
using std::chrono::milliseconds;

/// A stream that ends sooner than this, and brought nothing, is no stream.
constexpr milliseconds kShortestStream{1'000};

std::string key_of(const Json& object) {
  const Json& metadata = base::at_path(object, {"metadata"});
  return base::string_at(metadata, "namespace") + "/" + base::string_at(metadata, "name");
}

/// A number in [0, 1); spreading requests needs no more than a byte of chance.
double fraction(base::Random& random) {
  return random.bytes(1)[0] / 256.0;
}

/// One watch, with what it knows between two streams.
class Watcher {
 public:
  Watcher(ApiClient& client,
          const ObjectRef& ref,
          const WatchOptions& options,
          const std::function<Watching(const Objects&)>& on_change)
      : client_(client), ref_(ref), options_(options), on_change_(on_change) {}

  Result<WatchEnd> run() {
    while (!is_over()) {
      MESHTRUST_TRY(const Step step, version_.empty() ? list() : stream());
      if (step == Step::kEnough) return WatchEnd{.enough = true};
      if (step == Step::kAgain) continue;
      MESHTRUST_TRY_DO(back_off());
    }
    return WatchEnd{.enough = false, .trouble = std::move(trouble_)};
  }

 private:
  enum class Step { kAgain, kBackOff, kEnough };

  bool is_over() const {
    return options_.until && client_.effects().clock.steady() >= *options_.until;
  }

  std::optional<milliseconds> left() const {
    if (!options_.until) return std::nullopt;
    return std::chrono::ceil<milliseconds>(*options_.until - client_.effects().clock.steady());
  }

  Result<Step> list() {
    auto listed = client_.list(ref_, {.label_selector = options_.label_selector,
                                      .field_selector = options_.field_selector});
    if (!listed) {
      if (listed.error().code != Code::kUnavailable) return fail(std::move(listed).error());
      return broken(std::move(listed).error());
    }
    trouble_.reset();
    // Lists that work do not make up for versions that are always too old.
    if (expired_ == 0) failures_ = 0;
    version_ = listed->resource_version;
    Objects now;
    for (Json& item : listed->items) {
      std::string key = key_of(item);
      now.insert_or_assign(std::move(key), std::move(item));
    }
    const bool is_news = !told_ || now != objects_;
    objects_ = std::move(now);
    if (is_news && tell() == Watching::kEnough) return Step::kEnough;
    // Without a version there is nothing to resume from; lists are then all there is.
    return version_.empty() ? Step::kBackOff : Step::kAgain;
  }

  Result<Step> stream() {
    const auto spread = options_.lasting.count() / 5;
    const base::Seconds lasting =
        options_.lasting + base::Seconds(static_cast<long>(fraction(client_.effects().random) *
                                                           static_cast<double>(spread)));
    after_event_ = Step::kAgain;
    heard_ = false;
    const auto begun = client_.effects().clock.steady();
    MESHTRUST_TRY(StreamEnd end, listen({.resource_version = version_,
                                         .label_selector = options_.label_selector,
                                         .field_selector = options_.field_selector,
                                         .lasting = lasting,
                                         .stall = options_.stall,
                                         .at_most = left()}));
    if (version_.empty() && expired_ > 1) return Step::kBackOff;
    if (end.why == StreamEnd::Why::kEnough) return after_event_;
    if (end.why == StreamEnd::Why::kBroken) return broken(std::move(end.error));
    // An end is normal, but a server that ends every stream at once must not be hammered.
    const bool empty = !heard_ && client_.effects().clock.steady() - begun < kShortestStream;
    return empty && !version_.empty() ? Step::kBackOff : Step::kAgain;
  }

  /// A stream, or what is as good as its end: a version that is too old begins with a list again.
  Result<StreamEnd> listen(const WatchRequest& request) {
    auto end = client_.watch_once(
        ref_, request, [this](std::string_view line) { return take(line) == Watching::kGoOn; });
    if (end || end.error().code != Code::kNotFound) return end;
    expire();
    return StreamEnd{.why = StreamEnd::Why::kOver};
  }

  Watching take(std::string_view line) {
    heard_ = true;
    auto event = parse_watch_event(line);
    if (!event) return end_of_stream(std::move(event).error());
    switch (event->type) {
      case WatchEvent::Type::kExpired:
        expire();
        return Watching::kEnough;
      case WatchEvent::Type::kError:
        return end_of_stream(Error{
            .code = Code::kUnavailable,
            .message = "the watch of " + ref_.describe() +
                       " failed: " + base::printable(base::string_at(event->object, "message"))});
      case WatchEvent::Type::kUnknown:
        return Watching::kGoOn;
      default:
        break;
    }
    worked();
    expired_ = 0;
    const std::string version =
        base::string_at(base::at_path(event->object, {"metadata"}), "resourceVersion");
    if (!version.empty()) version_ = version;
    if (event->type == WatchEvent::Type::kBookmark) return Watching::kGoOn;
    const std::string key = key_of(event->object);
    if (event->type == WatchEvent::Type::kDeleted) {
      objects_.erase(key);
    } else {
      objects_.insert_or_assign(key, std::move(event->object));
    }
    if (tell() == Watching::kGoOn) return Watching::kGoOn;
    after_event_ = Step::kEnough;
    return Watching::kEnough;
  }

  /// What is no event says nothing about what was missed, so the next attempt lists.
  Watching end_of_stream(Error why) {
    (void)broken(std::move(why));
    version_.clear();
    after_event_ = Step::kBackOff;
    return Watching::kEnough;
  }

  Watching tell() {
    told_ = true;
    return on_change_(objects_);
  }

  void expire() {
    version_.clear();
    ++expired_;
  }

  Step broken(Error why) {
    trouble_ = std::move(why);
    return Step::kBackOff;
  }

  void worked() {
    trouble_.reset();
    failures_ = 0;
  }

  base::Status back_off() {
    milliseconds wait = options_.first_wait;
    for (int i = 0; i < failures_ && wait < options_.longest_wait; ++i) {
      wait *= 2;
    }
    ++failures_;
    wait = std::min(wait, options_.longest_wait);
    const double share = 0.5 + 0.5 * fraction(client_.effects().random);
    wait = milliseconds(static_cast<long>(static_cast<double>(wait.count()) * share));
    if (const auto most = left()) {
      wait = std::clamp(wait, milliseconds(0), std::max(*most, milliseconds(0)));
    }
    return client_.pause().wait(wait);
  }

  ApiClient& client_;
  const ObjectRef& ref_;
  const WatchOptions& options_;
  const std::function<Watching(const Objects&)>& on_change_;

  Objects objects_;
  std::string version_;  ///< to go on from; empty when a list is needed
  bool told_ = false;
  int failures_ = 0;  ///< in a row
  int expired_ = 0;   ///< versions that were too old, without an event in between
  std::optional<Error> trouble_;
  bool heard_ = false;               ///< the stream brought a line
  Step after_event_ = Step::kAgain;  ///< what the last event of a stream that was left asks for
};

WatchEvent::Type type_of(const std::string& word, const Json& object) {
  using Type = WatchEvent::Type;
  if (word == "ADDED") return Type::kAdded;
  if (word == "MODIFIED") return Type::kModified;
  if (word == "DELETED") return Type::kDeleted;
  if (word == "BOOKMARK") return Type::kBookmark;
  if (word != "ERROR") return Type::kUnknown;
  const std::string reason = base::string_at(object, "reason");
  const Json& code = base::at_path(object, {"code"});
  const bool expired = reason == "Expired" || reason == "Gone" || code == 410;
  return expired ? Type::kExpired : Type::kError;
}

}  // namespace

Result<WatchEvent> parse_watch_event(std::string_view line) {
  auto json = base::parse_json(line, "event");
  if (!json || !json->is_object()) {
    return fail(Code::kUnavailable, "a line of the watch is not a JSON object");
  }
  const std::string word = base::string_at(*json, "type");
  auto object = json->find("object");
  if (word.empty() || object == json->end() || !object->is_object()) {
    return fail(Code::kUnavailable, "a line of the watch is not an event");
  }
  const WatchEvent::Type type = type_of(word, *object);
  const bool about_object = type == WatchEvent::Type::kAdded ||
                            type == WatchEvent::Type::kModified ||
                            type == WatchEvent::Type::kDeleted;
  if (about_object && base::string_at(base::at_path(*object, {"metadata"}), "name").empty()) {
    return fail(Code::kUnavailable, "an event of the watch names no object");
  }
  return WatchEvent{.type = type, .object = std::move(*object)};
}

Result<WatchEnd> watch(ApiClient& client,
                       const ObjectRef& ref,
                       const WatchOptions& options,
                       const std::function<Watching(const Objects&)>& on_change) {
  MESHTRUST_CHECK(!ref.is_secret() && ref.name.empty());
  return Watcher(client, ref, options, on_change).run();
}

}  // namespace meshtrust::k8s
