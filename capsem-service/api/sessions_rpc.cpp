#include "api/sessions_rpc.h"

#include <chrono>

#include "rpc/on_loop.h"
#include "session/console_end.h"
#include "session/purge.h"

namespace capsem::service {

using namespace capsem::v1;  // every second word here is one of its messages
using rpc::OnLoop;
using rpc::Reply;

namespace {

constexpr uint32_t kDefaultGraceMs = 10000, kMaxGraceMs = 300000;  // sessions.proto

template <typename Request>
StatusOr<std::chrono::milliseconds> GraceOf(const Request& request) {
  if (request.grace_ms() == 0) return std::chrono::milliseconds(kDefaultGraceMs);
  if (request.grace_ms() <= kMaxGraceMs) return std::chrono::milliseconds(request.grace_ms());
  return WithRemedy(
      InvalidArgument("a grace of {} ms: the limit is {} ms", request.grace_ms(), kMaxGraceMs),
      "give the guest at most five minutes");
}

template <typename Response>
auto Empty(Reply<Response> reply) {
  return [reply = std::move(reply)](const Status& status) mutable {
    if (!status.ok()) return reply(status);
    reply(Response());
  };
}

}  // namespace

SessionsRpc::SessionsRpc(Loop& loop, SessionTable& table, service::Sessions& sessions,
                         Naming& naming)
    : loop_(loop), table_(table), sessions_(sessions), naming_(naming) {}

SessionsRpc::Unary* SessionsRpc::Create(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<CreateSessionRequest, v1::Session>(
      loop_, in, out, [this](const CreateSessionRequest& request, Reply<v1::Session> reply) {
        sessions_.Create(request, service::Sessions::Owner::kUser, std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Get(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<GetSessionRequest, v1::Session>(
      loop_, in, out, [this](const GetSessionRequest& request, Reply<v1::Session> reply) {
        const auto slot = table_.Find(request.session());
        if (!slot.ok()) return reply(slot.status());
        v1::Session session = (*slot)->session.ToProto();
        if (session.state() != SESSION_STATE_FAILED) return reply(std::move(session));
        auto answer = std::make_shared<v1::Session>(std::move(session));
        loop_.RunBlocking(
            [answer, dir = (*slot)->dir] { answer->set_console(ConsoleEnd(dir)); },
            [answer, reply = std::move(reply)]() mutable { reply(std::move(*answer)); });
      });
}

SessionsRpc::Unary* SessionsRpc::List(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<ListSessionsRequest, ListSessionsResponse>(
      loop_, in, out, [this](const ListSessionsRequest&, Reply<ListSessionsResponse> reply) {
        ListSessionsResponse response;
        for (SessionSlot* slot : table_.All()) *response.add_sessions() = slot->session.ToProto();
        reply(response);
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* SessionsRpc::Watch(Context*, const Bytes* in) {
  return SessionWatch::Stream::Accept<WatchSessionsRequest>(
      loop_, in, [this](const WatchSessionsRequest&, std::unique_ptr<SessionWatch::Stream> stream) {
        const auto place = watches_.emplace(watches_.end());
        *place = std::make_unique<SessionWatch>(table_, std::move(stream), [this, place] {
          loop_.Post([self = weak_.Get(), place] {
            if (self) self->watches_.erase(place);
          });
        });
      });
}

SessionsRpc::Unary* SessionsRpc::Stop(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<StopSessionRequest, StopSessionResponse>(
      loop_, in, out, [this](const StopSessionRequest& request, Reply<StopSessionResponse> reply) {
        const auto grace = GraceOf(request);
        if (!grace.ok()) return reply(grace.status());
        sessions_.Stop(request.session(), *grace, Empty(std::move(reply)));
      });
}

SessionsRpc::Unary* SessionsRpc::Delete(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<DeleteSessionRequest, DeleteSessionResponse>(
      loop_, in, out,
      [this](const DeleteSessionRequest& request, Reply<DeleteSessionResponse> reply) {
        sessions_.Delete(request.session(), Empty(std::move(reply)));
      });
}

SessionsRpc::Unary* SessionsRpc::Start(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<StartSessionRequest, v1::Session>(
      loop_, in, out, [this](const StartSessionRequest& request, Reply<v1::Session> reply) {
        sessions_.Start(request.session(), std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Restart(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<RestartSessionRequest, v1::Session>(
      loop_, in, out, [this](const RestartSessionRequest& request, Reply<v1::Session> reply) {
        const auto grace = GraceOf(request);
        if (!grace.ok()) return reply(grace.status());
        sessions_.Restart(request.session(), *grace, std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Persist(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<PersistSessionRequest, v1::Session>(
      loop_, in, out, [this](const PersistSessionRequest& request, Reply<v1::Session> reply) {
        naming_.Persist(request.session(), request.name(), std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Rename(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<RenameSessionRequest, v1::Session>(
      loop_, in, out, [this](const RenameSessionRequest& request, Reply<v1::Session> reply) {
        naming_.Rename(request.session(), request.name(), std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Purge(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<PurgeSessionsRequest, PurgeSessionsResponse>(
      loop_, in, out,
      [this](const PurgeSessionsRequest& request, Reply<PurgeSessionsResponse> reply) {
        service::Purge(loop_, table_, sessions_, request.all(), std::move(reply));
      });
}

}  // namespace capsem::service
