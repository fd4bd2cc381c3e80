// A unary route is transcoded by what the .proto files say of it: the table has the method's name,
// its descriptor has the types, and no line of code is written for a verb.
#include "routes/forward.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>

#include "capsem/v1/execs.grpc.pb.h"
#include "capsem/v1/sessions.grpc.pb.h"
#include "routes/exec_json.h"
#include "routes/http_status.h"
#include "routes/proto_json.h"
#include "rpc/client_stream.h"
#include "rpc/endpoint.h"
#include "rpc/message.h"
#include "rpc/status_code.h"

namespace capsem::gateway {
namespace {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;
using capsem::v1::Execs;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

// A unary verb answers when its work is done: the longest, a stop, has five minutes.
constexpr std::chrono::minutes kUnaryLimit{6};

const MethodDescriptor& MethodOf(const Route& route) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* method = pool->FindMethodByName(std::string(route.rpc));
  ENSURE(method != nullptr);
  return *method;
}

std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor& type) {
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<Message>(factory->GetPrototype(&type)->New());
}

struct UnaryCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  std::unique_ptr<Message> answer;

  HttpResponse Finish(const grpc::Status& status) {
    if (!status.ok()) return ResponseOf(rpc::FromGrpc(status));
    if (!grpc::SerializationTraits<Message>::Deserialize(&response, answer.get()).ok()) {
      return ResponseOf(Internal("the service's answer is not well-formed"));
    }
    auto text = ToJson(*answer);
    if (!text.ok()) return ResponseOf(text.status());
    HttpResponse whole;
    whole.body = *std::move(text);
    return whole;
  }
};

struct ExecCall {
  explicit ExecCall(bool base64) : answer(base64) {}
  ExecAnswer answer;
  HttpHandler::Reply reply;
  std::unique_ptr<rpc::ClientStream<ExecInput, ExecEvent>> stream;

  // May end this: whoever holds it drops it when it is told.
  void Finish(const Status& status) {
    if (!reply) return;
    auto told = std::exchange(reply, nullptr);
    told(answer.Finish(status));
  }
};

}  // namespace

struct Forward::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : generic(channel), execs(Execs::NewStub(channel)) {}
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> generic;
  std::unique_ptr<Execs::Stub> execs;
};

Forward::Forward(Loop& loop, const std::string& service_socket)
    : loop_(loop), socket_(service_socket) {
  // Links the descriptors that the table names.
  ENSURE(capsem::v1::Session::descriptor() != nullptr);
}

Forward::~Forward() = default;

HttpHandler::Work Forward::Ask(const Match& match, const HttpRequest& request,
                               HttpHandler::Reply reply) {
  if (!stubs_) stubs_ = std::make_unique<Stubs>(rpc::ConnectChannel(socket_));
  if (match.route->kind == RouteKind::kExec) return AskExec(match, request, std::move(reply));
  return AskUnary(match, std::move(reply));
}

HttpHandler::Work Forward::AskUnary(const Match& match, HttpHandler::Reply reply) {
  const MethodDescriptor& method = MethodOf(*match.route);
  const auto request = NewMessage(*method.input_type());
  if (!match.session.empty()) {
    const auto* field = method.input_type()->FindFieldByName("session");
    request->GetReflection()->SetString(request.get(), field, match.session);
  }
  auto call = std::make_shared<UnaryCall>();
  call->answer = NewMessage(*method.output_type());
  call->request = rpc::SerializeMessage(*request);
  call->context.set_deadline(std::chrono::system_clock::now() + kUnaryLimit);
  const std::string path = fmt::format("/{}/{}", method.service()->full_name(), method.name());
  // gRPC's thread posts; a function that it copies holds what cannot be copied by a pointer.
  const auto told = std::make_shared<HttpHandler::Reply>(std::move(reply));
  stubs_->generic.UnaryCall(&call->context, path, {}, &call->request, &call->response,
                            [&loop = loop_, call, told](const grpc::Status& status) {
                              loop.Post([call, told, status] { (*told)(call->Finish(status)); });
                            });
  return {nullptr, [call](void*) { call->context.TryCancel(); }};
}

HttpHandler::Work Forward::AskExec(const Match& match, const HttpRequest& request,
                                   HttpHandler::Reply reply) {
  auto question = ParseExec(match.session, request.body);
  if (!question.ok()) {
    loop_.Post([reply = std::move(reply), status = question.status()]() mutable {
      reply(ResponseOf(status));
    });
    return nullptr;
  }
  auto call = std::make_shared<ExecCall>(question->base64);
  call->reply = std::move(reply);
  const std::weak_ptr<ExecCall> weak = call;
  rpc::ClientStream<ExecInput, ExecEvent>::Events events;
  events.on_message = [weak](const ExecEvent& event) {
    const auto self = weak.lock();
    if (self && !self->answer.Add(event)) self->Finish(OkStatus());
  };
  events.on_ready = [] {};
  events.on_closed = [weak](const Status& status) {
    if (const auto self = weak.lock()) self->Finish(status);
  };
  call->stream = rpc::ClientStream<ExecInput, ExecEvent>::Start(
      loop_, stubs_->execs->async(), &Execs::StubInterface::async_interface::Exec, {},
      std::move(events));
  for (ExecInput& input : question->inputs) call->stream->Write(std::move(input));
  call->stream->FinishWriting();
  return call;
}

}  // namespace capsem::gateway
