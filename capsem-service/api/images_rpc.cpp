#include "api/images_rpc.h"

#include "rpc/on_loop.h"
#include "session/sentence.h"

namespace capsem::service {

using capsem::v1::InspectImageRequest;
using capsem::v1::ListImagesRequest;
using capsem::v1::ListImagesResponse;
using rpc::OnLoop;
using rpc::Reply;

namespace {

capsem::v1::Image Summary(const Image& image) {
  capsem::v1::Image proto;
  proto.set_name(image.name);
  proto.set_digest(image.digest);
  proto.set_size(image.size);
  proto.set_created_unix_ms(image.manifest.created_unix_s * 1000);
  proto.set_kernel_release(image.manifest.kernel_release);
  if (!image.error.ok()) proto.set_error(Sentence(image.error));
  return proto;
}

capsem::v1::Image Whole(const Image& image) {
  capsem::v1::Image proto = Summary(image);
  for (const ManifestFile& file : image.manifest.files) {
    auto* one = proto.add_files();
    one->set_name(file.name);
    one->set_sha256(file.sha256);
    one->set_size(file.size);
  }
  for (const ManifestPackage& package : image.manifest.packages) {
    auto* one = proto.add_packages();
    one->set_name(package.name);
    one->set_version(package.version);
  }
  return proto;
}

}  // namespace

grpc::ServerUnaryReactor* ImagesRpc::List(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                          grpc::ByteBuffer* out) {
  return OnLoop<ListImagesRequest, ListImagesResponse>(
      loop_, in, out, [this](const ListImagesRequest&, Reply<ListImagesResponse> reply) {
        images_.List(
            [reply = std::move(reply)](const StatusOr<std::vector<Image>>& images) mutable {
              if (!images.ok()) return reply(images.status());
              ListImagesResponse response;
              for (const Image& image : *images) *response.add_images() = Summary(image);
              reply(response);
            });
      });
}

grpc::ServerUnaryReactor* ImagesRpc::Inspect(grpc::CallbackServerContext*,
                                             const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return OnLoop<InspectImageRequest, capsem::v1::Image>(
      loop_, in, out, [this](const InspectImageRequest& request, Reply<capsem::v1::Image> reply) {
        images_.Inspect(request.image(),
                        [reply = std::move(reply)](const StatusOr<Image>& image) mutable {
                          if (!image.ok()) return reply(image.status());
                          reply(Whole(*image));
                        });
      });
}

}  // namespace capsem::service
