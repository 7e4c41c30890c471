// Many objects at once: whole lists, and streams of what happens to them.

#include "base/check.h"
#include "k8s/answer.h"
#include "k8s/api_client.h"
#include "k8s/line_splitter.h"
#include "k8s/status.h"
#include "k8s/url.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::with_context;
using std::chrono::milliseconds;

constexpr int kMostPages = 2'000;  ///< a million objects; a server that never ends is not believed
constexpr int kPagedRounds = 3;
constexpr std::string_view kMetadataLists =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

class Query {
 public:
  Query& add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    text_ += (text_.empty() ? "?" : "&") + std::string(name) + "=" + percent_encode(value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string continue_of(const Json& list) {
  return base::string_at(base::at_path(list, {"metadata"}), "continue");
}

std::string version_of(const Json& list) {
  return base::string_at(base::at_path(list, {"metadata"}), "resourceVersion");
}

void append_items(Json& into, Json page) {
  Json& items = page["items"];
  if (!items.is_array()) return;  // "null" when there are none
  for (Json& item : items) {
    into.push_back(std::move(item));
  }
}

}  // namespace

/// Nothing when the version that the list began with is no longer kept.
Result<std::optional<Json>> ApiClient::list_page(const ObjectRef& ref,
                                                 const std::string& query,
                                                 Content content,
                                                 ListBudget& left) {
  const std::string action = "listing " + ref.describe();
  const bool confidential = content == Content::kConfidential;
  MESHTRUST_TRY(Reply reply,
                perform({.method = Method::kGet,
                         .target = ref.path() + query,
                         .accept = std::string(confidential ? kMetadataLists : "application/json"),
                         .content = content},
                        Repeatable::kYes, action, left.call));
  if (reply.status != 200) {
    if (!reply.secret_body.empty()) disarm(reply);
    const bool expired = reply.status == 410 && read_status(reply).understood;
    if (expired) return std::optional<Json>();
    base::Error error = refusal(reply, action);
    // "Nothing there" is an empty list; a 404 is about something else.
    if (error.code == Code::kNotFound) error.code = Code::kUnavailable;
    return fail(std::move(error));
  }
  if (confidential) MESHTRUST_TRY_DO(strip_secrets(reply, action));
  if (reply.body.size() > left.bytes) {
    return fail(with_context(
        {.code = Code::kUnavailable,
         .message = "the list is larger than " + std::to_string(largest_list() >> 20U) + " MiB"},
        action));
  }
  left.bytes -= reply.body.size();
  MESHTRUST_TRY(Json page, parse_answer(reply, action));
  const bool metadata = base::string_at(page, "kind") == "PartialObjectMetadataList";
  if (!confidential || !metadata) MESHTRUST_TRY_DO(expect_kind(ref.kind + "List", page, action));
  return std::optional<Json>(std::move(page));
}

Result<Json> ApiClient::list_all(const ObjectRef& ref,
                                 const ListOptions& options,
                                 Content content) {
  // A list whose version was forgotten between two pages is begun again: twice in pages, then in
  // one piece. The rest that the server offers instead would be of another version.
  ListBudget left{.call = begin_call(), .bytes = 0};
  for (int round = 0; round <= kPagedRounds; ++round) {
    left.bytes = largest_list();
    const bool paged = round < kPagedRounds;
    Json items = Json::array();
    std::string from;
    std::string version;
    for (int pages = 0; pages < kMostPages; ++pages) {
      Query query;
      query.add("labelSelector", options.label_selector)
          .add("fieldSelector", options.field_selector)
          .add("limit", paged ? std::to_string(options.page_items) : "")
          .add("continue", from);
      MESHTRUST_TRY(std::optional<Json> page, list_page(ref, query.text(), content, left));
      if (!page) break;
      const std::string page_version = version_of(*page);
      if (pages > 0 && page_version != version) break;
      version = page_version;
      from = continue_of(*page);
      append_items(items, *std::move(page));
      if (from.empty()) return Json{{"items", std::move(items)}, {"version", version}};
    }
  }
  return fail(with_context(
      {.code = Code::kUnavailable, .message = "the list changes faster than it can be read"},
      "listing " + ref.describe()));
}

Result<ObjectList> ApiClient::list(const ObjectRef& ref, const ListOptions& options) {
  MESHTRUST_CHECK(!ref.is_secret());
  MESHTRUST_TRY(Json all, list_all(ref, options, Content::kOrdinary));
  ObjectList list{.items = {}, .resource_version = base::string_at(all, "version")};
  for (Json& item : all["items"]) {
    list.items.push_back(std::move(item));
  }
  return list;
}

Result<FactsList> ApiClient::list_metadata(const ObjectRef& ref, const ListOptions& options) {
  MESHTRUST_TRY(const Json all, list_all(ref, options, Content::kConfidential));
  FactsList list{.items = {}, .resource_version = base::string_at(all, "version")};
  const Json& items = base::at_path(all, {"items"});
  std::transform(items.begin(), items.end(), std::back_inserter(list.items), &facts_of);
  return list;
}

Result<StreamEnd> ApiClient::watch_once(const ObjectRef& ref,
                                        const WatchRequest& request,
                                        const std::function<bool(std::string_view line)>& receive) {
  MESHTRUST_CHECK(!ref.is_secret());
  const std::string action = "watching " + ref.describe();
  Query query;
  query.add("watch", "1")
      .add("resourceVersion", request.resource_version)
      .add("allowWatchBookmarks", "true")
      .add("timeoutSeconds", std::to_string(request.lasting.count()))
      .add("labelSelector", request.label_selector)
      .add("fieldSelector", request.field_selector);
  const milliseconds longest = request.lasting + request.stall;
  LineSplitter lines(options_.http.answer_limit_bytes, receive);
  Request stream{.method = Method::kGet,
                 .target = ref.path() + query.text(),
                 .at_most = std::min(longest, request.at_most.value_or(longest)),
                 .sink = [&lines](std::string_view part) { return lines.take(part); },
                 .silence = longest};
  Call call = begin_call();
  auto sent = send(std::move(stream), Repeatable::kNo, call);
  if (!sent) {
    // The caller's own bound, not the server's fault.
    const bool in_time = sent.error().timed_out && sent.error().left_open() &&
                         request.at_most.value_or(longest) < longest;
    if (in_time) return StreamEnd{};
    base::Error error = with_context(std::move(sent).error().error, action);
    if (error.code != Code::kUnavailable) return fail(std::move(error));
    return StreamEnd{.why = StreamEnd::Why::kBroken, .error = std::move(error)};
  }
  if (sent->status != 200) {
    base::Error error = refusal(*sent, action);
    const bool expired = sent->status == 410 && read_status(*sent).understood;
    if (expired) error.code = Code::kNotFound;
    if (error.code == Code::kUnavailable && sent->status >= 429) {
      return StreamEnd{.why = StreamEnd::Why::kBroken, .error = std::move(error)};
    }
    return fail(std::move(error));
  }
  if (lines.overflowed()) {
    return StreamEnd{
        .why = StreamEnd::Why::kBroken,
        .error = with_context(
            {.code = Code::kUnavailable, .message = "an event is larger than the bound"}, action)};
  }
  return StreamEnd{.why = sent->stopped ? StreamEnd::Why::kEnough : StreamEnd::Why::kOver};
}

}  // namespace meshtrust::k8s
