// Serves capsem.v1.Images: one line per verb.
#pragma once

#include "base/loop.h"
#include "capsem/v1/images.grpc.pb.h"
#include "image/image_store.h"

namespace capsem::service {

using ImagesBase = capsem::v1::Images::WithRawCallbackMethod_List<
    capsem::v1::Images::WithRawCallbackMethod_Inspect<capsem::v1::Images::Service>>;

class ImagesRpc final : public ImagesBase {
 public:
  ImagesRpc(Loop& loop, ImageStore& images) : loop_(loop), images_(images) {}

 private:
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                 grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                    grpc::ByteBuffer* out) override;

  Loop& loop_;
  ImageStore& images_;
};

}  // namespace capsem::service
