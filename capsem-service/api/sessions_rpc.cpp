#include "api/sessions_rpc.h"

#include <chrono>

#include "rpc/on_loop.h"

namespace capsem::service {

using namespace capsem::v1;  // every second word here is one of its messages
using rpc::OnLoop;
using rpc::Reply;

namespace {

constexpr uint32_t kDefaultGraceMs = 10000, kMaxGraceMs = 300000;  // sessions.proto

StatusOr<std::chrono::milliseconds> GraceOf(const StopSessionRequest& request) {
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

SessionsRpc::SessionsRpc(Loop& loop, SessionTable& table, service::Sessions& sessions)
    : loop_(loop), table_(table), sessions_(sessions) {}

SessionsRpc::Unary* SessionsRpc::Create(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<CreateSessionRequest, v1::Session>(
      loop_, in, out, [this](const CreateSessionRequest& request, Reply<v1::Session> reply) {
        sessions_.Create(request, std::move(reply));
      });
}

SessionsRpc::Unary* SessionsRpc::Get(Context*, const Bytes* in, Bytes* out) {
  return OnLoop<GetSessionRequest, v1::Session>(
      loop_, in, out, [this](const GetSessionRequest& request, Reply<v1::Session> reply) {
        const auto slot = table_.Find(request.session());
        if (!slot.ok()) return reply(slot.status());
        reply((*slot)->session.ToProto());
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

}  // namespace capsem::service
