// A program that uses Amazon ECR by the AWS SDK for JavaScript: AWS's own commands, paginators and errors.
import { createHash } from "node:crypto";

import {
  BatchGetImageCommand,
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  DeleteRepositoryCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
  ImageTagAlreadyExistsException,
  InitiateLayerUploadCommand,
  LayerAlreadyExistsException,
  ListImagesCommand,
  PutImageCommand,
  RepositoryAlreadyExistsException,
  RepositoryNotFoundException,
  UploadLayerPartCommand,
  paginateDescribeRepositories,
} from "@aws-sdk/client-ecr";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const client = new ECRClient({});
const prefix = process.argv[2];
const repositoryName = `${prefix}/a`;

/** Return the error that a command is answered with; an answer that is none is an error itself. */
async function refusal(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`not refused: ${JSON.stringify(answer)}`);
}

/** Send bytes as one layer and return their descriptor. */
async function upload(mediaType, content) {
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  const { uploadId } = await client.send(new InitiateLayerUploadCommand({ repositoryName }));
  const part = { partFirstByte: 0, partLastByte: content.length - 1, layerPartBlob: content };
  await client.send(new UploadLayerPartCommand({ repositoryName, uploadId, ...part }));
  await client.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [digest] }));
  return { mediaType, digest, size: content.length };
}

/** Name an image of one layer and return its manifest. */
async function put(imageTag, config, layer) {
  const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [layer] });
  await client.send(
    new PutImageCommand({ repositoryName, imageTag, imageManifest, imageManifestMediaType: MANIFEST_TYPE }),
  );
  return imageManifest;
}

const told = {};

for (const name of ["a", "b", "c"]) {
  const made = await client.send(
    new CreateRepositoryCommand({ repositoryName: `${prefix}/${name}`, imageTagMutability: "IMMUTABLE" }),
  );
  told.Made = made.repository.repositoryUri;
  told.MadeRecently = Math.abs(made.repository.createdAt.getTime() - Date.now()) < 60_000;
}
const again = await refusal(client.send(new CreateRepositoryCommand({ repositoryName })));
told.ExistsAlready = again instanceof RepositoryAlreadyExistsException;

told.Names = [];
told.Pages = 0;
for await (const page of paginateDescribeRepositories({ client, pageSize: 1 }, {})) {
  told.Pages += 1;
  told.Names.push(...page.repositories.map((each) => each.repositoryName).filter((name) => name.startsWith(prefix)));
}

const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
told.User = Buffer.from(authorizationData[0].authorizationToken, "base64").toString().split(":")[0];

const settings = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64" }));
const config = await upload("application/vnd.oci.image.config.v1+json", settings);
const layer = await upload("application/vnd.oci.image.layer.v1.tar", Buffer.from("one layer"));
const other = await upload("application/vnd.oci.image.layer.v1.tar", Buffer.from("another layer"));
const manifest = await put("v1", config, layer);
told.TagIsTaken = (await refusal(put("v1", config, other))) instanceof ImageTagAlreadyExistsException;
told.LayerIsThere =
  (await refusal(upload(layer.mediaType, Buffer.from("one layer")))) instanceof LayerAlreadyExistsException;

const imageIds = [{ imageTag: "v1" }, { imageTag: "v2" }];
const { images, failures } = await client.send(new BatchGetImageCommand({ repositoryName, imageIds }));
told.Digest = images[0].imageId.imageDigest;
told.Manifest = images[0].imageManifest === manifest ? manifest : "";
told.Failure = failures[0].failureCode;

for (const name of told.Names) {
  await client.send(new DeleteRepositoryCommand({ repositoryName: name, force: true }));
}
const missing = await refusal(client.send(new ListImagesCommand({ repositoryName })));
told.NotFound = missing instanceof RepositoryNotFoundException;
told.Message = missing.message;

process.stdout.write(JSON.stringify(told));
