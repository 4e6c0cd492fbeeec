declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  /** Of its options, the ones that are used. */
  export default function SwaggerUI(options: {
    url: string;
    domNode: HTMLElement | null;
    layout: "BaseLayout";
    deepLinking: boolean;
    validatorUrl: null;
  }): void;
}
